// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"errors"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/internal/testkit"
)

// guard is a process that answers like a guard, and undoes nothing.
var guard = []string{"sh", "-c", "printf . >&0; while read line; do printf . >&0; done"}

// throttled is a keeper with a lease, and a domain of that class without budget
// to which its CPU denies all background time.
func throttled(t *testing.T, pool uint32, class host.Class) (*keeping, *fakeHost, *domain) {
	t.Helper()
	h := newHost()
	h.migrate(pool)
	h.idle = make([]time.Duration, 2)
	k := newKeeping(h, newLedger(t), guard)
	if err := k.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := k.Close(false); err != nil {
			t.Error(err)
		}
	})
	if err := k.Renew(time.Hour); err != nil {
		t.Fatal(err)
	}
	r := on(task)
	r.Class = class
	var d *domain
	k.do(t, func() {
		if err := k.adopt(3, r); err != nil {
			t.Error(err)
			return
		}
		h.info.CPUTime += 10 * ms
		e := k.only(t)
		d = k.of(e)
		k.Look(e)
	})
	k.deny(t, time.Hour)
	return k, h, d
}

// do runs f in the keeper's thread.
func (k *keeping) do(t *testing.T, f func()) {
	t.Helper()
	if err := k.Do(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func (k *keeping) deny(t *testing.T, idle time.Duration) {
	t.Helper()
	if err := k.Throttle(t.Context(), 1, 10*ms, min(idle, 10*ms)); err != nil {
		t.Fatal(err)
	}
}

// paused is how often the domain is paused.
func (k *keeping) paused(t *testing.T, h *fakeHost) (n int) {
	t.Helper()
	k.do(t, func() { n = h.pauses })
	return n
}

func TestThrottleTakesBackgroundAndLeavesTheBudget(t *testing.T) {
	k, h, d := throttled(t, 0, host.Batch)
	if n := k.paused(t, h); n != 1 || h.weight.Weight != lowest {
		t.Fatalf("%d pauses, weight %d", n, h.weight.Weight)
	}
	var before, after time.Duration
	read := func(into *time.Duration) {
		u, err := k.usage(3, 2048)
		if *into = u.Throttled; err != nil {
			t.Error(err)
		}
	}
	k.do(t, func() { read(&before) })
	testkit.Eventually(t, "its throttled time grows", func() bool { k.do(t, func() { read(&after) }); return after > before })
	k.do(t, func() {
		e := k.only(t)
		e.Account = keeper.NewAccount(task, clock.Monotonic())
		if k.Look(e); h.pauses != 0 || !d.foreground {
			t.Errorf("with budget: %d pauses", h.pauses)
		}
		h.info.CPUTime += 10 * ms
		if k.Look(e); h.pauses != 1 {
			t.Errorf("without budget again: %d pauses", h.pauses)
		}
		h.info.Blocked = true // it sleeps: nothing is taken from it
		read(&before)
	})
	k.deny(t, 0)
	k.do(t, func() {
		if read(&after); h.pauses != 0 || after > before {
			t.Errorf("after it: %d pauses, throttled %v, before %v", h.pauses, after, before)
		}
	})
}

func TestThrottleSparesACriticalDomain(t *testing.T) {
	k, h, _ := throttled(t, 0, host.Critical)
	if n := k.paused(t, h); n != 0 {
		t.Errorf("%d pauses", n)
	}
	r := on(task)
	k.do(t, func() {
		if err := k.adopt(3, r); err != nil || h.pauses != 1 {
			t.Errorf("%v; batch now: %d pauses", err, h.pauses)
		}
	})
	r.Domain.CPUs = []int{0}
	k.do(t, func() {
		if err := k.adopt(3, r); err != nil || h.pauses != 0 {
			t.Errorf("%v; on another CPU: %d pauses", err, h.pauses)
		}
	})
}

// Under credit a domain runs in background if its CPU is idle and is not
// throttled.
func TestThrottleUnderCredit(t *testing.T) {
	k, h, d := throttled(t, 2, host.Batch)
	k.do(t, func() {
		d.turn.runs, d.turn.since = true, d.read+time.Hour
		if err := d.Pause(); err != nil || h.pauses != 1 {
			t.Errorf("%v, %d pauses", err, h.pauses)
		}
	})
	k.deny(t, 0)
	if n := k.paused(t, h); n != 0 {
		t.Errorf("%d pauses without a throttle", n)
	}
}

// However a throttled domain's daemon ends, nothing stays paused, and an
// operator's pause stays.
func TestThrottledDomainIsResumedWhateverHappens(t *testing.T) {
	for name, happens := range map[string]func(*keeping, *fakeHost){
		"released":           func(k *keeping, _ *fakeHost) { _ = k.Drop(k.only(t)) },
		"the daemon is dead": func(k *keeping, h *fakeHost) { _ = k.ledger.giveBack(h, true, true) },
		"the daemon ends":    func(k *keeping, _ *fakeHost) { k.Lift() },
		"renamed, and dead": func(k *keeping, h *fakeHost) {
			h.info.UUID = [16]byte{9}
			_ = k.ledger.giveBack(h, true, true)
		},
	} {
		for operator := range 2 {
			k, h, _ := throttled(t, 0, host.Batch)
			k.do(t, func() {
				h.pauses += operator
				if happens(k, h); h.pauses != operator {
					t.Errorf("%s: %d pauses, %d of an operator", name, h.pauses, operator)
				}
			})
		}
	}
}

// A domain that was destroyed is no problem of the throttle.
func TestThrottleOfADomainThatIsGone(t *testing.T) {
	k, h, d := throttled(t, 0, host.Batch)
	k.do(t, func() { h.gone = true })
	k.deny(t, 0)
	k.deny(t, time.Hour)
	k.do(t, func() {
		if err := d.Pause(); err != nil {
			t.Error(err)
		}
		if _, err := k.usage(3, 2048); !errors.Is(err, host.ErrNoDomain) || k.Len() != 0 || k.ledger.used() != 0 {
			t.Errorf("%v, %d kept, %d in the ledger", err, k.Len(), k.ledger.used())
		}
	})
}

func TestThrottleNeedsALease(t *testing.T) {
	k := newKeeping(newHost(), newLedger(t), guard)
	if err := k.Throttle(t.Context(), 1, 10*ms, ms); !errors.Is(err, host.ErrLease) {
		t.Error(err)
	}
}
