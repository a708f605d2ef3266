// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/gateway/policy"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/native"
	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/rtsched"
)

// payingHost is a host whose master enforces the budgets of rules.
type payingHost struct {
	*fakeHost
	machine *native.Host
	master  *master.Master
}

func newPayingHost(t *testing.T) *payingHost {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root: domains are cgroups, which only root can make here")
	}
	runtime.GOMAXPROCS(max(4, runtime.NumCPU()))
	ph := new(payingHost)
	ph.fakeHost = openHost(t, func(o *Options) {
		o.Pay = func(ctx context.Context, r policy.Rule) (uint32, error) { return ph.master.Pay(ctx, r.Key()) }
	})
	var err error
	ph.machine, err = native.Open(native.Options{Parent: fmt.Sprintf("vlibos-gateway-%d", os.Getpid()), Servers: ph.dir})
	if errors.Is(err, host.ErrNotHere) || errors.Is(err, host.ErrNotAllowed) {
		t.Skipf("domains are cgroups: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if ph.master, err = master.Open(t.Context(), ph.machine, t.TempDir(), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- ph.master.Run(ctx, func() error { return nil }) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, ph.master.Close(), ph.machine.Close()); err != nil {
			t.Error(err)
		}
		testkit.Eventually(t, "the parent cgroup is removed", func() bool { return ph.machine.Dissolve() == nil })
	})
	return ph
}

// configure applies rules as the daemon does.
func (ph *payingHost) configure(wedging []policy.Wedging, rules ...policy.Rule) {
	ph.t.Helper()
	c, err := ph.Prepare(rules, wedging)
	if err != nil {
		ph.t.Fatal(err)
	}
	var all []api.Reservation
	for _, r := range rules {
		all = append(all, api.Reservation{
			Reservation: host.Reservation{Task: rtsched.Task{Budget: r.Budget, Period: r.Period}, Callees: []host.Callee{{Domain: host.Domain{Name: r.Domain}}}},
			Name:        r.Key(),
		})
	}
	if err := ph.master.Configure(ph.t.Context(), all); err != nil {
		ph.t.Fatal(err)
	}
	c.Commit()
}

// joins makes a process a domain.
func (ph *payingHost) joins(name string, cmd *exec.Cmd, cpu int) {
	ph.t.Helper()
	err := ph.machine.Create(name, cmd.Process.Pid)
	if err == nil {
		err = ph.machine.Pin(context.Background(), name, []int{cpu})
	}
	if err != nil {
		ph.t.Fatal(err)
	}
	ph.t.Cleanup(func() {
		cmd.Process.Kill()
		if err := ph.machine.Remove(context.Background(), name); err != nil {
			ph.t.Error(err)
		}
	})
}

func (ph *payingHost) paid() []api.Status {
	ph.t.Helper()
	all, err := ph.master.List(context.Background())
	if err != nil {
		ph.t.Error(err)
	}
	return all
}

// CPU time that a user's call needs beyond the budget of its rule yields to a
// domain that always wants the CPU. A hanging call is found, and a removed rule
// frees its reservation.
func TestCallBeyondItsRulesBudgetYields(t *testing.T) {
	ph := newPayingHost(t)
	for path := ph.o.Dir; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cpus, err := ph.machine.CPUs()
	if err != nil {
		t.Fatal(err)
	}
	cpu := cpus[len(cpus)-1]
	server := startChild(t, "member", filepath.Join(ph.dir, "web"), nil)
	ph.joins("web", server.Cmd, cpu)
	server.asks("") // it is in its cgroup
	server.says("serving")
	busy := exec.Command("sh", "-c", "while :; do :; done")
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { busy.Wait() })
	ph.joins("busy", busy, cpu)

	const budget, period = 10 * ms, 100 * ms
	rule := policy.Rule{
		Who: "nobody", ID: 65534, Target: policy.Target{Domain: "web", Port: 1}, Library: "t",
		Functions: []string{policy.All}, Timeout: testkit.Patience, Budget: budget, Period: period,
	}
	ph.configure(nil, rule)
	caller := startChild(t, "client", filepath.Join(ph.o.Dir, "web"), &syscall.Credential{Uid: 65534, Gid: 65534})
	caller.says("open: <nil>")
	caller.asks("echo")
	caller.says(`echo: "x" <nil>`)
	before, begun := ph.paid()[0], time.Now()
	caller.asks("burn")
	caller.says(`burn: "" <nil>`)
	took, after := time.Since(begun), ph.paid()[0]
	front, back := after.Foreground-before.Foreground, after.Background-before.Background
	t.Logf("%v of CPU time took %v: %v in foreground, %v in background", burnt, took, front, back)
	if all := front + back; all < burnt || all > 2*burnt {
		t.Errorf("%v are charged, %v were burnt", all, burnt)
	}
	// One more period may have begun than ended. Overruns are paid back later.
	if most := (took/period + 2) * 2 * budget; front > most || front < budget || back == 0 {
		t.Errorf("%v of foreground in %v, want at most %v; %v of background", front, took, most, back)
	}

	// The rule has changed; its reservation is the same.
	rule.Budget, rule.Timeout = 2*budget, 300*ms
	wedging := []policy.Wedging{{Domain: "web", After: 500 * ms}}
	ph.configure(wedging, rule)
	caller.asks("hang")
	server.says("hanging")
	caller.says("the rule allows 300ms")
	if p := ph.paid(); len(p) != 1 || p[0].Budget != 2*budget || p[0].Foreground < after.Foreground {
		t.Errorf("%+v", p)
	}
	testkit.Eventually(t, "the paid call that hangs is found", func() bool { return len(wedged(ph.Gateway)) == 1 })
	ph.configure(nil)
	if p := ph.paid(); len(p) != 0 {
		t.Errorf("left: %+v", p)
	}
	if u, err := ph.machine.Usage(t.Context(), host.Reservation{Task: rtsched.Task{ID: after.ID}}); !errors.Is(err, host.ErrNoDomain) {
		t.Errorf("left: %+v, %v", u, err)
	}
}

// Under another configuration a reservation's number may be another rule's, so
// a rule asks for its own again.
func TestNewConfigurationAsksForReservationsAgain(t *testing.T) {
	var asked atomic.Int32
	h := newHost(t, func(o *Options) {
		o.Pay = func(context.Context, policy.Rule) (uint32, error) { asked.Add(1); return 0, nil }
	})
	h.vlibOS("web", nil)
	rule := mine("web", testkit.Patience)
	rule.Budget, rule.Period = ms, 10*ms
	for want := int32(1); want <= 2; want++ {
		h.configure(nil, rule)
		c := h.client("web", 0)
		h.echoes(c)
		h.echoes(c)
		if n := asked.Load(); n != want {
			t.Errorf("asked %d times, want %d", n, want)
		}
	}
}
