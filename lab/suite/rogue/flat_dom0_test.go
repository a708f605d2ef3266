// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/evtchn"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
)

// holdings are the resources of this process and of the guest program.
type holdings struct {
	descriptors, goroutines, mappings int
	port                              evtchn.Port // the next that Xen allocates
	resident                          int         // KiB of this process
	guest                             usage
}

// take counts the resources. c is a channel to the guest's honest server.
func take(t testing.TB, c *vlibcall.Channel) (h holdings) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	out, err := c.Call(t.Context(), "t", "usage", nil, nil)
	must(err)
	must(json.Unmarshal(out, &h.guest))
	e, err := evtchn.Open()
	must(err)
	h.port, err = e.BindUnbound(0)
	must(err)
	must(e.Close())
	h.descriptors, h.goroutines = len(testkit.Descriptors()), runtime.NumGoroutine()
	maps, err := os.ReadFile("/proc/self/maps")
	must(err)
	h.mappings = bytes.Count(maps, []byte("/dev/xen/gntdev"))
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	must(err)
	_, rss, _ := strings.Cut(string(status), "VmRSS:")
	_, err = fmt.Sscan(rss, &h.resident)
	must(err)
	return h
}

// growth is by how much the resident memory may exceed the first reading, in KiB: the Go
// heap varies.
const growth = 16 << 10

// flat waits until no resource is more than before, or fails.
func flat(t testing.TB, c *vlibcall.Channel, before holdings) {
	t.Helper()
	succeeds(t, func() error {
		now := take(t, c)
		for _, n := range []struct {
			name        string
			before, now int
		}{
			{"descriptors", before.descriptors, now.descriptors},
			{"goroutines", before.goroutines, now.goroutines},
			{"grant mappings", before.mappings, now.mappings},
			{"event channels (next port)", int(before.port), int(now.port)},
			{"resident KiB", before.resident + growth, now.resident},
			{"the guest's channels", int(before.guest.Channels), int(now.guest.Channels)},
			{"the guest's descriptors", before.guest.Descriptors, now.guest.Descriptors},
			{"the guest's granted mappings", before.guest.Mappings, now.guest.Mappings},
			{"the guest's goroutines", before.guest.Goroutines, now.guest.Goroutines},
		} {
			if n.now > n.before {
				return fmt.Errorf("%s: %d before, %d after", n.name, n.before, n.now)
			}
		}
		return nil
	})
}
