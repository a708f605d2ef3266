// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package multicpu

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

const ms = time.Millisecond

// open opens a channel until the end of the test.
func open(t *testing.T, domid uint16, reservation uint32) *vlibcall.Channel {
	t.Helper()
	return host.Open(t, domid, vlibcall.Options{Timeout: testkit.Patience, Reservation: transport.Reservation(reservation)})
}

// tool runs a program of the toolstack. Where tests race on purpose, its error is no
// failure.
func tool(t *testing.T, args ...string) error {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return errors.New(strings.Join(args, " ") + ": " + err.Error() + ": " + string(out))
	}
	return nil
}
