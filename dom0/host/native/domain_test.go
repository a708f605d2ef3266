// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/rtsched"
)

func task(id uint32, budget, period time.Duration) rtsched.Task {
	return rtsched.Task{ID: id, Budget: budget, Period: period}
}

func TestDomains(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		d, cmd := start(t, p, "one", "sleep 1000 & sleep 1000 & wait")
		if err := p.Create("two"); err != nil {
			t.Fatal(err)
		}
		all, err := p.Domains(ctx)
		if err != nil || len(all) != 2 || all[0].ID != "one" || all[0].UUID != "one" || all[1].Name != "two" || all[0].Control {
			t.Errorf("%+v, %v", all, err)
		}
		if tids, err := p.Threads("one"); err != nil || len(tids) < 1 || !slices.Contains(tids, cmd.Process.Pid) {
			t.Errorf("threads %v, %v, want %d among them", tids, err, cmd.Process.Pid)
		}
		if _, err := p.Threads("none"); !errors.Is(err, host.ErrNoDomain) {
			t.Errorf("threads of a domain that is not there: %v", err)
		}
		cpus, err := p.CPUs()
		if err != nil || len(cpus) == 0 || !slices.Equal(cpus, all[0].CPUs) {
			t.Errorf("CPUs %v of the machine, %v; of the domain %v", cpus, err, all[0].CPUs)
		}
		cpu := lastCPU(t, p)
		pin(t, p, d, cpu)
		if all, err := p.Domains(ctx); err != nil || !slices.Equal(all[0].CPUs, []int{cpu}) {
			t.Errorf("pinned to %d: %+v, %v", cpu, all, err)
		}
		if err := p.Create("one"); !errors.Is(err, os.ErrExist) {
			t.Error(err)
		}
		wrong := []string{"", ".", "..", "a/b", "a b", "cgroup.procs", strings.Repeat("x", 300)}
		if p.layout.cpu.version == 1 {
			wrong = append(wrong, "tasks")
		}
		for _, name := range wrong {
			if err := p.Create(name); err == nil {
				t.Errorf("%q was made", name)
			}
		}
		if err := p.Create("three", 1<<30); err == nil || !strings.Contains(err.Error(), "cgroup.procs") {
			t.Error(err)
		}
		for _, h := range p.layout.places() {
			if _, err := os.Stat(filepath.Join(h.dir, "three")); err == nil {
				t.Errorf("left: %s", h.dir)
			}
		}
		for _, name := range []string{"one", "two"} {
			if err := p.Remove(ctx, name); err != nil {
				t.Fatal(err)
			}
			if err := p.Remove(ctx, name); !errors.Is(err, host.ErrNoDomain) {
				t.Error(err)
			}
		}
		if err := cmd.Process.Signal(unix.Signal(0)); err != nil {
			t.Errorf("its process has ended: %v", err)
		}
	})
}

func TestAdopt(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		d, cmd := start(t, p, "d", spin)
		version := p.layout.cpu.version
		adopt(t, p, d, 1, 20*time.Millisecond, 50*time.Millisecond)
		var before host.Usage
		testkit.Eventually(t, "it has had its budget, more than once", func() bool {
			before = usage(t, p, d, 1)
			return before.Foreground >= 50*time.Millisecond
		})
		// Other numbers change the server and forget nothing.
		adopt(t, p, d, 1, time.Millisecond, 50*time.Millisecond)
		if u := usage(t, p, d, 1); u.Foreground < before.Foreground || u.Background < before.Background || u.Left > time.Millisecond {
			t.Errorf("%+v, then %+v", before, u)
		}
		if err := p.Reserve(ctx, d.On(task(2, time.Millisecond, 50*time.Millisecond))); !errors.Is(err, host.ErrNotAllowed) {
			t.Error(err)
		}
		if err := p.Reserve(ctx, domain("none").On(task(1, time.Millisecond, 50*time.Millisecond))); !errors.Is(err, host.ErrNoDomain) {
			t.Error(err)
		}
		if _, err := p.Usage(ctx, on(d, 2)); !errors.Is(err, host.ErrNoDomain) {
			t.Error(err)
		}
		for range 2 {
			if err := p.Unreserve(ctx, on(d, 1)); err != nil {
				t.Fatal(err)
			}
		}
		if a, b := shares(t, p, "d"), shares(t, p, ""); a != standard.text(version) || b != a {
			t.Errorf("released: weights %s, parent %s", a, b)
		}
		if _, err := p.Usage(ctx, on(d, 1)); !errors.Is(err, host.ErrNoDomain) {
			t.Error(err)
		}
		// A cgroup that vanishes behind the keeper's back.
		adopt(t, p, d, 1, 20*time.Millisecond, 50*time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		for _, h := range p.layout.places() {
			if err := evacuate(filepath.Join(h.dir, "d"), filepath.Dir(h.dir), time.Second); err != nil {
				t.Fatal(err)
			}
		}
		testkit.Eventually(t, "dropped", func() (dropped bool) {
			if err := p.k.Do(ctx, func() { dropped = p.k.Len() == 0 }); err != nil {
				t.Fatal(err)
			}
			return dropped
		})
		if _, err := p.Usage(ctx, on(d, 1)); !errors.Is(err, host.ErrNoDomain) {
			t.Error(err)
		}
		if err := p.Unreserve(ctx, on(d, 1)); err != nil {
			t.Error(err)
		}
	})
}

// A refused reservation, whose number is another domain's, leaves nothing behind: the
// domain can have one of its own.
func TestRefusedReservationLeavesNothing(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		one, _ := start(t, p, "one", "sleep 1000 & wait")
		two, _ := start(t, p, "two", "sleep 1000 & wait")
		adopt(t, p, one, 1, time.Millisecond, 50*time.Millisecond)
		if err := p.Reserve(ctx, two.On(task(1, time.Millisecond, 50*time.Millisecond))); !errors.Is(err, host.ErrNotAllowed) {
			t.Error(err)
		}
		adopt(t, p, two, 2, time.Millisecond, 50*time.Millisecond)
		for id, d := range map[uint32]host.Domain{1: one, 2: two} {
			usage(t, p, d, id)
			if err := p.Unreserve(ctx, on(d, id)); err != nil {
				t.Error(err)
			}
		}
		version := p.layout.cpu.version
		if a, b := shares(t, p, "two"), shares(t, p, ""); a != standard.text(version) || b != a {
			t.Errorf("released: weights %s, parent %s", a, b)
		}
	})
}

// A domain with budget is real-time where that is needed, else it has the heavy
// weight.
func TestForeground(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		d, cmd := start(t, p, "d", "sleep 1000 & wait")
		version := p.layout.cpu.version
		for range 2 {
			adopt(t, p, d, 1, 20*time.Millisecond, 50*time.Millisecond)
			realtime, heavy := policy(t, cmd.Process.Pid) == unix.SCHED_FIFO, shares(t, p, "") == parental.text(version)
			if want, err := byPriority(p.layout); err != nil || realtime != want || heavy == want {
				t.Errorf("adopted: real-time %v, wanted %v, %v; weight of the parent raised %v", realtime, want, err, heavy)
			}
			if err := p.Unreserve(ctx, on(d, 1)); err != nil {
				t.Fatal(err)
			}
			if now := policy(t, cmd.Process.Pid); now != unix.SCHED_NORMAL {
				t.Errorf("released: policy %d", now)
			}
		}
	})
}

func TestClosed(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, o Options) {
		q := open1(t, o)
		for range 2 {
			if err := q.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := q.Usage(ctx, on(domain("x"), 1)); !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
}
