// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/rtsched"
)

func TestThrottledTimeIsThatOfPauses(t *testing.T) {
	h := pause{on: true, since: 10}
	if h.total(15) != 5 {
		t.Error(h.total(15))
	}
	h.end(17)
	h.end(30)
	if h.total(40) != 7 || h.on {
		t.Errorf("%+v", h)
	}
}

// spinning is a domain that spins on one throttled CPU, with a lease.
func spinning(t *testing.T, p *Host, period, idle time.Duration) (host.Domain, int) {
	t.Helper()
	cpu := lastCPU(t, p)
	d, cmd := start(t, p, "d", spin)
	taskset(t, cmd, cpu)
	pin(t, p, d, cpu)
	adopt(t, p, d, 1, time.Millisecond, 50*time.Millisecond)
	if err := p.Renew(time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := p.Throttle(ctx, cpu, period, idle); err != nil {
		t.Fatal(err)
	}
	return d, cpu
}

func TestThrottle(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		if err := p.Throttle(ctx, 0, 10*time.Millisecond, time.Millisecond); !errors.Is(err, host.ErrLease) {
			t.Errorf("without a lease: %v", err)
		}
		d, cpu := spinning(t, p, 10*time.Millisecond, 8*time.Millisecond)
		for _, c := range []struct{ period, idle time.Duration }{{0, 0}, {time.Minute, 0}, {time.Millisecond, 2 * time.Millisecond}, {time.Millisecond, -1}} {
			if err := p.Throttle(ctx, cpu, c.period, c.idle); !errors.Is(err, rtsched.ErrRange) {
				t.Errorf("%v of %v: %v", c.idle, c.period, err)
			}
		}
		if err := p.Throttle(ctx, -1, time.Millisecond, 0); !errors.Is(err, host.ErrNotAllowed) {
			t.Error(err)
		}
		before, begin := usage(t, p, d, 1), clock.Monotonic()
		time.Sleep(time.Second)
		after, took := usage(t, p, d, 1), clock.Monotonic()-begin
		back, denied := after.Background-before.Background, after.Throttled-before.Throttled
		t.Logf("in %v: background %v, throttled %v, foreground %v", took, back, denied, after.Foreground-before.Foreground)
		if back > took/3 || denied < took/4 {
			t.Errorf("a fifth of background time: had %v of %v and was denied %v", back, took, denied)
		}
		// Its budget is not touched, whatever is denied.
		if err := p.Throttle(ctx, cpu, 10*time.Millisecond, 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		was := usage(t, p, d, 1).Foreground
		testkit.Eventually(t, "foreground under a full throttle", func() bool { return usage(t, p, d, 1).Foreground > was+5*time.Millisecond })
		testkit.Eventually(t, "stopped", func() bool { return !p.open(t, d.ID) })
		if err := p.Throttle(ctx, cpu, 10*time.Millisecond, 0); err != nil {
			t.Fatal(err)
		}
		if !p.open(t, d.ID) {
			t.Error("stopped without a throttle")
		}
	})
}

// A critical domain runs under a full throttle, until it is not critical any
// more.
func TestCriticalDomainIsSpared(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		d, _ := spinning(t, p, 10*time.Millisecond, 10*time.Millisecond)
		testkit.Eventually(t, "stopped", func() bool { return !p.open(t, d.ID) })
		class(t, p, d, host.Critical)
		was := usage(t, p, d, 1)
		testkit.Eventually(t, "background under a full throttle", func() bool {
			now := usage(t, p, d, 1)
			if now.Throttled > was.Throttled {
				t.Fatalf("denied %v while it was spared", now.Throttled-was.Throttled)
			}
			return now.Background > was.Background+50*time.Millisecond
		})
		class(t, p, d, host.Batch)
		testkit.Eventually(t, "stopped again", func() bool { return !p.open(t, d.ID) })
	})
}

// A throttle neither opens a gate that is closed nor keeps one closed.
func TestThrottleAndGate(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		d, cpu := spinning(t, p, 5*time.Millisecond, 3*time.Millisecond)
		if err := p.Gate(ctx, d, true); err != nil {
			t.Fatal(err)
		}
		if !frozen(t, p, d.ID) {
			t.Error("the throttle opens the gate")
		}
		if err := p.Throttle(ctx, cpu, 5*time.Millisecond, 0); err != nil {
			t.Fatal(err)
		}
		if p.open(t, d.ID) {
			t.Error("the throttle's end opens the gate")
		}
		if err := p.Gate(ctx, d, false); err != nil || !p.open(t, d.ID) {
			t.Errorf("opened: %v", err)
		}
		// One that another process closes.
		if err := p.layout.freeze(ctx, d.ID, true); err != nil {
			t.Fatal(err)
		}
		for _, idle := range []time.Duration{5 * time.Millisecond, 0} {
			if err := p.Throttle(ctx, cpu, 5*time.Millisecond, idle); err != nil {
				t.Fatal(err)
			}
		}
		if p.open(t, d.ID) {
			t.Error("the throttle opens a gate that another closed")
		}
	})
}

func TestThrottleEnds(t *testing.T) {
	full := func(t *testing.T, p *Host) host.Domain {
		d, _ := spinning(t, p, 5*time.Millisecond, 5*time.Millisecond)
		testkit.Eventually(t, "stopped", func() bool { return !p.open(t, d.ID) })
		return d
	}
	t.Run("release", func(t *testing.T) {
		versions(t, func(t *testing.T, p *Host, _ Options) {
			d := full(t, p)
			if err := p.Unreserve(ctx, on(d, 1)); err != nil || !p.open(t, d.ID) {
				t.Errorf("%v", err)
			}
		})
	})
	t.Run("lease", func(t *testing.T) {
		versions(t, func(t *testing.T, p *Host, _ Options) {
			d := full(t, p)
			if err := p.Renew(50 * time.Millisecond); err != nil {
				t.Fatal(err)
			}
			testkit.Eventually(t, "lease", func() bool { return !p.k.Lease().Runs() && p.open(t, d.ID) })
			// The next lease does not bring it back.
			if err := p.Renew(time.Minute); !errors.Is(err, host.ErrLease) {
				t.Error(err)
			}
			time.Sleep(60 * time.Millisecond)
			if !p.open(t, d.ID) {
				t.Error("throttled again")
			}
		})
	})
	t.Run("close", func(t *testing.T) {
		versions(t, func(t *testing.T, p *Host, o Options) {
			d, cmd := start(t, p, "d", spin)
			taskset(t, cmd, lastCPU(t, p))
			q := open1(t, o)
			pin(t, q, d, lastCPU(t, q))
			adopt(t, q, d, 1, time.Millisecond, 50*time.Millisecond)
			if err := q.Renew(2 * testLease); err != nil {
				t.Fatal(err)
			}
			if err := q.Throttle(ctx, lastCPU(t, q), 5*time.Millisecond, 5*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			testkit.Eventually(t, "stopped", func() bool { return !p.open(t, d.ID) })
			if err := q.Close(); err != nil || !p.open(t, d.ID) {
				t.Errorf("stopped after Close: %v", err)
			}
			testkit.Eventually(t, "guard ends", func() bool { return !guarded(t, o.Parent) })
		})
	})
}
