// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// asNobody runs vlibmaster as the user nobody, without access to Xen.
func asNobody(t *testing.T, args ...string) (string, int) {
	t.Helper()
	c := exec.Command("vlibmaster", args...)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := c.CombinedOutput()
	if ee := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ee) {
		t.Fatal(err)
	}
	return string(out), c.ProcessState.ExitCode()
}

// answers fails unless a call of the user nobody has the status and the output.
func answers(t *testing.T, status int, words string, args ...string) {
	t.Helper()
	out, got := asNobody(t, args...)
	t.Logf("%v: status %d", args, got)
	if got != status || !strings.Contains(out, words) {
		t.Errorf("%v: status %d, want %d with %q:\n%s", args, got, status, words, out)
	}
}

// A rule's reservation pays for calls of a user who may not use Xen. A guest that does not
// answer is found, whichever caller it serves.
func TestUsersCallsArePaidAndAWedgedGuestIsFound(t *testing.T) {
	m, _ := host.Module(t)
	config := filepath.Join(t.TempDir(), "vlibmaster.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`
[[allow]]
user = "nobody"
domain = "vlib1"
library = "vlib"
function = ["echo", "run"]
timeout = "2s"
budget = "5ms"
period = "50ms"

[[domain]]
name = "vlib1"
wedged_after = "2s"
`)
	d := host.Serve(t, "--config", config)
	wedged := func(n int) func() bool {
		return func() bool {
			time.Sleep(500 * ms) // starting a program takes long in emulation
			return len(ps(t).Wedged) == n
		}
	}
	answers(t, 0, "hello", "call", "vlib1", "vlib", "echo", "hello")
	r, err := m.Reservation(2048)
	if err != nil || r.Calls == 0 || r.Total.Foreground == 0 || r.Budget != 5*ms || r.Period != 50*ms {
		t.Errorf("%+v, %v", r, err)
	}
	if s, err := m.Domain(vlib1); err != nil || s.Flags != vlib.Parks || s.Open {
		t.Errorf("the callee runs without calls: %+v, %v", s, err)
	}
	answers(t, 11, `function = "services" is missing`, "services", "vlib1")
	answers(t, 11, "allows calls to such users", "call", "vlib2", "vlib", "echo", "hello")
	answers(t, 10, "the rule allows 2s", "call", "vlib1", "vlib", "run", "--", "sh", "-c", "while :; do :; done")
	answers(t, 0, "hello", "call", "vlib1", "vlib", "echo", "hello")

	// A guest that is paused is wedged until it runs again.
	host.Run(t, "xl", "pause", "vlib1")
	answers(t, 10, "no answer in time", "call", "vlib1", "vlib", "echo", "hello")
	d.Says(t, "a vLib OS is wedged")
	if h := ps(t); len(h.Wedged) != 1 || h.Wedged[0].Domain != "vlib1" {
		t.Errorf("%+v", h)
	}
	host.Run(t, "xl", "unpause", "vlib1")
	d.Says(t, "no longer wedged")
	answers(t, 0, "hello", "call", "vlib1", "vlib", "echo", "hello")

	// So is a guest that a tool calls directly, which the module reports.
	if err := errors.Join(m.Reserve(5, 5*ms, 50*ms), m.Allow(vlib1, 5)); err != nil {
		t.Fatal(err)
	}
	host.Run(t, "vlibmaster", "call", "--reservation", "5", "vlib1", "vlib", "echo", "hello")
	// It ends without an answer, so the guest may still be busy.
	if out, status := host.Command(t, "vlibmaster", "call", "--reservation", "5", "--timeout", "1s", "vlib1", "libc.so.6", "sleep", "--sig", "u32(u32)", "3"); status != 10 {
		t.Errorf("status %d\n%s", status, out)
	}
	testkit.Eventually(t, "it is wedged", wedged(1))
	answers(t, 10, "no answer in time", "call", "vlib1", "vlib", "echo", "hello")
	if err := m.FinishAll(5); err != nil {
		t.Error(err)
	}
	testkit.Eventually(t, "it is not wedged any more", wedged(0))
	answers(t, 0, "hello", "call", "vlib1", "vlib", "echo", "hello")

	// Without the rule it runs as before, and its reservation has ended.
	write("")
	if err := d.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	d.Says(t, "configuration taken")
	if s, err := m.Domain(vlib1); err != nil || s.Flags != 0 || !s.Open {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := m.Reservation(2048); !errors.Is(err, vlib.ErrNoReservation) {
		t.Error(err)
	}
	if err := m.Unreserve(5); err != nil {
		t.Error(err)
	}
	host.Run(t, "vlibmaster", "call", "vlib1", "vlib", "echo", "hello")
}
