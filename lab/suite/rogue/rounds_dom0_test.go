// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package main

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
)

// roundsVariable names the number of rounds.
const roundsVariable = "VLIBOS_ROUNDS"

// Channels are opened, called with data, and closed, and nothing is left. A few rounds find a
// leak in every round; the soak's many find rare leaks.
func TestRoundsOfChannelsLeaveNothing(t *testing.T) {
	rounds := 300
	if text := os.Getenv(roundsVariable); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil || rounds < 1 {
			t.Fatalf("%s=%q: want a number", roundsVariable, text)
		}
	}
	d, id := domain(t, "vlib1"), host.DomainID(t, "vlib1")
	watch := open(t, d, vlibcall.Options{Size: 8192, Timeout: bound})
	defer closed(t, watch)
	warm(t, d, 1)
	before, inUse := take(t, watch), grants(t, id)
	input := make([]byte, 2000)
	start := time.Now()
	for i := range rounds {
		c := open(t, d, vlibcall.Options{Size: 8192, Timeout: bound})
		out, err := c.Call(t.Context(), "t", "echo", input, nil)
		if err != nil || len(out) != len(input) {
			t.Fatalf("round %d: %d bytes, %v", i, len(out), err)
		}
		closed(t, c)
		if i == 0 || i%1000 == 999 {
			t.Logf("%d rounds after %v: %+v", i+1, time.Since(start).Round(time.Millisecond), take(t, watch))
		}
	}
	t.Logf("%d rounds, %v each", rounds, (time.Since(start) / time.Duration(rounds)).Round(time.Microsecond))
	flat(t, watch, before)
	succeeds(t, func() error {
		if now := grants(t, id); now > inUse {
			return fmt.Errorf("Xen has %d grants of vlib1 in use, %d before", now, inUse)
		}
		return nil
	})
}
