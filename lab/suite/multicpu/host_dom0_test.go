// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package multicpu

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/transport/xen"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

const ms = time.Millisecond

// patience is how long anything may take: the machine is emulated.
const patience = time.Minute

// openModule opens the hypervisor's module for the time of the test.
func openModule(t *testing.T) (*vlib.Module, *xenctl.Handle) {
	t.Helper()
	h, err := xenctl.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	m, err := vlib.Open(h)
	if err != nil {
		t.Fatal(err)
	}
	return m, h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open makes a channel for the time of the test.
func open(t *testing.T, domid uint16, reservation uint32) *vlibcall.Channel {
	t.Helper()
	d, err := xen.Open(t.Context(), domid)
	must(t, err)
	t.Cleanup(func() { d.Close() })
	c, err := vlibcall.Open(t.Context(), d, 1, 8192, vlibcall.Options{Timeout: patience, Reservation: reservation})
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// run runs a shell's words in the DomU.
func run(t *testing.T, c *vlibcall.Channel, words string) string {
	t.Helper()
	command := builtin.Command{Argv: []string{"sh", "-c", words}}
	input, err := command.Append(nil)
	must(t, err)
	out, err := c.Call(t.Context(), builtin.Library, builtin.Run, input, nil)
	must(t, err)
	var outcome builtin.Outcome
	must(t, outcome.Decode(out))
	return strings.TrimSpace(string(outcome.Stdout))
}

// tool runs a program of the toolstack; what it refuses is not a failure where
// tests race on purpose.
func tool(t *testing.T, args ...string) error {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return errors.New(strings.Join(args, " ") + ": " + err.Error() + ": " + string(out))
	}
	return nil
}
