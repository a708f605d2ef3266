// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"errors"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/xenctl"
)

var task = rtsched.Task{ID: 2048, Budget: 10 * ms, Period: time.Hour}

// depleted adopts the domain of a new host and has it use all of its budget.
func depleted(t *testing.T) (*keeping, *fakeHost, *keeper.Entry) {
	t.Helper()
	h := newHost()
	k := newKeeping(h, newLedger(t), nil) // without a thread
	if err := k.adopt(3, on(task)); err != nil {
		t.Fatal(err)
	}
	h.info.CPUTime += 10 * ms
	e := k.only(t)
	k.Look(e)
	if h.weight.Weight != lowest {
		t.Fatalf("weight %d without budget", h.weight.Weight)
	}
	return k, h, e
}

// used is how many entries the ledger has.
func (l *ledger) used() (n int) {
	for i := range l.entries {
		n += int(l.entries[i].used.Load())
	}
	return n
}

// again is what renewing the lease does to a domain.
func (k *keeping) again(e *keeper.Entry) {
	k.of(e).stale = true
	k.Look(e)
}

// released checks that a release leaves that weight, no pause and no entry.
func (k *keeping) released(t *testing.T, h *fakeHost, e *keeper.Entry, weight uint16) {
	t.Helper()
	if err := k.Drop(e); err != nil || h.weight.Weight != weight || h.pauses != 0 || k.Len() != 0 || k.ledger.used() != 0 {
		t.Errorf("released: %v, weight %d, want %d; %d pauses, %d kept, %d in the ledger",
			err, h.weight.Weight, weight, h.pauses, k.Len(), k.ledger.used())
	}
}

// Toolstacks give a domain another handle when it is renamed, and while it is
// destroyed: it is the same domain.
func TestNewHandleIsTheSameDomain(t *testing.T) {
	k, h, e := depleted(t)
	h.info.UUID = [16]byte{8}
	h.info.CPUTime += 3 * ms
	if u, err := k.usage(3, 2048); err != nil || u.Foreground != 10*ms || u.Background != 3*ms || k.only(t) != e {
		t.Errorf("%+v, %v", u, err)
	}
	k.released(t, h, e, 300)
}

// The guard gives a domain its weight back whatever handle it has now.
func TestGuardUndoesUnderANewHandle(t *testing.T) {
	k, h, _ := depleted(t)
	h.info.UUID = [16]byte{8}
	if err := k.ledger.giveBack(h, true, true); err != nil || h.weight.Weight != 300 {
		t.Errorf("%v, weight %d", err, h.weight.Weight)
	}
}

// A domain that has the number of an earlier one is another domain, with the
// same handle or a different one.
func TestNumberGivenAgainIsAnotherDomain(t *testing.T) {
	k, h, _ := depleted(t)
	h.info.CPUTime, h.weight, h.pauses = 5*ms, xenctl.Weight{Weight: 1}, 1
	if _, err := k.usage(3, 2048); !errors.Is(err, host.ErrNoDomain) || k.Len() != 0 || k.ledger.used() != 0 {
		t.Errorf("%v, %d kept, %d in the ledger", err, k.Len(), k.ledger.used())
	}
	if err := k.sweep(); err != nil || h.weight.Weight != 1 || h.pauses != 1 {
		t.Errorf("%v, weight %d, %d pauses", err, h.weight.Weight, h.pauses)
	}
}

// A reservation has one domain: another waits until that is released or gone.
func TestReservationOfAnotherDomainIsRefused(t *testing.T) {
	k, h, e := depleted(t)
	if err := k.adopt(4, on(task)); !errors.Is(err, host.ErrNotAllowed) {
		t.Error(err)
	}
	k.released(t, h, e, 300)
}

// The next master finds out by the ledger that a domain is the one that an
// earlier master kept, whatever its handle is.
func TestLedgerTellsWhoseDomainItIs(t *testing.T) {
	k, h, _ := depleted(t)
	next := newKeeping(h, k.ledger, nil)
	h.info.UUID = [16]byte{8}
	if _, err := next.usage(3, 2048); err == nil || errors.Is(err, host.ErrNoDomain) {
		t.Errorf("the same domain: %v", err)
	}
	if _, err := next.usage(3, 2049); !errors.Is(err, host.ErrNoDomain) {
		t.Errorf("another reservation: %v", err)
	}
	h.info.CPUTime = 0
	if _, err := next.usage(3, 2048); !errors.Is(err, host.ErrNoDomain) {
		t.Errorf("another domain: %v", err)
	}
}

// A domain that is moved to another pool is kept there by what that pool's
// scheduler has, and released with what it would have there.
func TestPoolMoveIsFollowed(t *testing.T) {
	for _, tt := range []struct {
		name           string
		pool           uint32
		weight, pauses int // without budget
		after          uint16
	}{
		{"to another credit2", 1, lowest, 0, 256},
		{"to credit", 2, lowest, 1, 256},
		{"to null", 3, 256, 1, 256},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k, h, e := depleted(t)
			h.beside = waiting
			h.migrate(tt.pool)
			h.info.CPUTime += ms
			if u, err := k.usage(3, 2048); err != nil || u.Foreground != 10*ms || u.Background != ms {
				t.Errorf("%+v, %v", u, err)
			}
			if int(h.weight.Weight) != tt.weight || h.pauses != tt.pauses || k.ledger.used() != 1 {
				t.Errorf("weight %d, %d pauses, %d in the ledger", h.weight.Weight, h.pauses, k.ledger.used())
			}
			k.released(t, h, e, tt.after)
		})
	}
}

// From a pool whose scheduler has no weights the pause does not come along.
func TestPoolMoveEndsThePause(t *testing.T) {
	h := newHost()
	h.beside = waiting
	h.migrate(3)
	k := newKeeping(h, newLedger(t), nil)
	if err := k.adopt(3, on(task)); err != nil {
		t.Fatal(err)
	}
	h.info.CPUTime += 10 * ms
	e := k.only(t)
	if k.Look(e); h.pauses != 1 {
		t.Fatalf("%d pauses", h.pauses)
	}
	h.migrate(0)
	if k.Look(e); h.pauses != 0 || h.weight.Weight != lowest {
		t.Errorf("%d pauses, weight %d", h.pauses, h.weight.Weight)
	}
	k.released(t, h, e, 256)
}

// A domain that was moved just now is released, and undone by a guard, as one
// that is where it is.
func TestUndoAfterAPoolMove(t *testing.T) {
	k, h, e := depleted(t)
	h.migrate(3)
	k.released(t, h, e, 256)
	k, h, _ = depleted(t)
	h.migrate(2)
	if err := k.ledger.giveBack(h, true, true); err != nil || h.weight.Weight != 256 || k.ledger.used() != 0 {
		t.Errorf("%v, weight %d", err, h.weight.Weight)
	}
}

// A pool that cannot be looked up is a problem of this domain, until it can.
func TestPoolThatCannotBeLookedUp(t *testing.T) {
	k, h, e := depleted(t)
	h.migrate(9)
	if _, err := k.usage(3, 2048); err == nil {
		t.Error("no problem")
	}
	h.pools[9] = xenctl.Credit2
	if _, err := k.usage(3, 2048); err != nil || h.weight.Weight != lowest {
		t.Errorf("%v, weight %d", err, h.weight.Weight)
	}
	k.released(t, h, e, 256)
}

// A weight that depends on Dom0's weight is set again when that changes.
func TestWeightOfDom0IsFollowed(t *testing.T) {
	k, h, e := depleted(t)
	h.dom0 = 512
	if k.again(e); h.weight.Weight != lowest || k.ledger.used() != 1 {
		t.Errorf("weight %d, %d in the ledger", h.weight.Weight, k.ledger.used())
	}
	e.Account = keeper.NewAccount(task, clock.Monotonic()) // it has its budget
	if k.Look(e); h.weight.Weight != heavier*512 {
		t.Errorf("weight %d with budget", h.weight.Weight)
	}
	k.released(t, h, e, 300)
}

// A weight that an operator sets is given back, and does not stay in force
// meanwhile.
func TestWeightSetByAnOperator(t *testing.T) {
	k, h, e := depleted(t)
	h.weight.Weight = 700
	if k.again(e); h.weight.Weight != lowest {
		t.Errorf("weight %d", h.weight.Weight)
	}
	k.released(t, h, e, 700)
}
