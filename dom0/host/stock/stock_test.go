// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/xenctl"
)

const ms = time.Millisecond

var errKilled = errors.New("the process ends here")

func newLedger(t *testing.T) *ledger {
	t.Helper()
	l, err := openLedger(filepath.Join(t.TempDir(), "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func newEntry(t *testing.T, l *ledger, h *fakeHost, front uint16) *entry {
	t.Helper()
	scheduler := xenctl.Credit2
	if front == 0 {
		scheduler = xenctl.Null
	}
	e, err := l.add(h.info, 2048, place{0, scheduler, front}, h.weight.Weight)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// told tells a domain that it has budget, or has none.
func (e *entry) told(t *testing.T, h *fakeHost, foreground bool) {
	t.Helper()
	info, _ := h.DomainInfo(3)
	if err := e.tell(h, info, foreground); err != nil {
		t.Fatal(err)
	}
}

// tell is what a domain does when its budget comes or ends.
func (e *entry) tell(x hypervisor, info xenctl.DomainInfo, foreground bool) error {
	err := e.weigh(x, info, foreground)
	if foreground || e.lowers() {
		return errors.Join(err, e.unpause(x))
	}
	return errors.Join(err, e.stop(x))
}

// on is a reservation of the domain, which may run on CPU 1.
func on(t rtsched.Task) host.Reservation { return host.Domain{ID: "3", CPUs: []int{1}}.On(t) }

func TestWeightsFollowTheBudgetAndAreGivenBack(t *testing.T) {
	h, l := newHost(), newLedger(t)
	e := newEntry(t, l, h, 4864)
	want := func(what string, weight uint16, kicks int) {
		t.Helper()
		if h.weight != (xenctl.Weight{Weight: weight, Cap: 50}) || h.pauses != 0 || h.kicks != kicks {
			t.Errorf("%s: %+v, %d pauses, %d kicks; want weight %d, %d kicks", what, h.weight, h.pauses, h.kicks, weight, kicks)
		}
	}
	e.told(t, h, true)
	want("foreground", 4864, 1)
	e.told(t, h, false)
	want("background", 1, 2)
	h.info.Blocked = true
	e.told(t, h, true)
	want("a sleeping domain is not paused", 4864, 2)
	h.info.Blocked = false
	h.weight.Weight = 512
	e.told(t, h, false)
	want("an operator has set another", 1, 3)
	if err := l.giveBack(h, true, false); err != nil {
		t.Error(err)
	}
	want("given back", 512, 3)
	h.weight.Weight = 77
	if err := l.giveBack(h, true, true); err != nil || e.used.Load() != 0 {
		t.Error(err, e.used.Load())
	}
	want("it was set while there was nothing to give back", 77, 3)
}

// An operator's pause stays, whatever is done in between.
func TestPauseOfAnOperatorStays(t *testing.T) {
	for _, front := range []uint16{0, 4864} {
		h, l := newHost(), newLedger(t)
		e := newEntry(t, l, h, front)
		h.pauses = 1
		for _, foreground := range []bool{false, false, true, false, true} {
			e.told(t, h, foreground)
			if h.pauses < 1 {
				t.Fatalf("front %d: 'xl pause' was undone", front)
			}
		}
		e.told(t, h, false)
		if err := l.giveBack(h, true, true); err != nil || h.pauses != 1 {
			t.Errorf("front %d: %v, %d pauses, want the operator's", front, err, h.pauses)
		}
	}
}

// killer ends the process at a call: just before Xen has done it, or just after.
type killer struct {
	*fakeHost
	before, after bool
	at            string
}

func (k *killer) do(what string, f func() error) error {
	if k.at == what && k.before {
		panic(errKilled)
	}
	err := f()
	if k.at == what && k.after {
		panic(errKilled)
	}
	return err
}

func (k *killer) Pause(id uint16) error {
	return k.do("pause", func() error { return k.fakeHost.Pause(id) })
}
func (k *killer) Unpause(id uint16) error {
	return k.do("unpause", func() error { return k.fakeHost.Unpause(id) })
}
func (k *killer) SetWeight(id uint16, s xenctl.Scheduler, w xenctl.Weight) error {
	return k.do("weight", func() error { return k.fakeHost.SetWeight(id, s, w) })
}

// Whenever the daemon dies, what it did is undone once, and nothing else.
func TestGuardUndoesWhateverTheDaemonWasAt(t *testing.T) {
	for _, front := range []uint16{0, 4864} {
		for _, at := range []string{"pause", "unpause", "weight"} {
			for _, before := range []bool{true, false} {
				h, l := newHost(), newLedger(t)
				e := newEntry(t, l, h, front)
				func() {
					defer func() {
						if r := recover(); r != nil && r != error(errKilled) {
							panic(r)
						}
					}()
					k := &killer{fakeHost: h, at: at, before: before, after: !before}
					for _, foreground := range []bool{false, true} {
						info, _ := h.DomainInfo(3)
						if err := e.tell(k, info, foreground); err != nil {
							t.Error(err)
						}
					}
				}()
				for range 2 { // the guard does it again and again
					if err := l.giveBack(h, true, false); err != nil {
						t.Error(err)
					}
				}
				if h.pauses != 0 || h.weight.Weight != 300 {
					t.Errorf("front %d, dead at %s, before it %v: %d pauses, weight %d", front, at, before, h.pauses, h.weight.Weight)
				}
			}
		}
	}
}

// Another domain that has the number is not touched.
func TestAnotherDomainOfTheNumberIsLeftAlone(t *testing.T) {
	h, l := newHost(), newLedger(t)
	e := newEntry(t, l, h, 0)
	e.told(t, h, false)
	h.info.CPUTime, h.pauses, h.weight.Weight = 0, 1, 1
	if err := l.giveBack(h, true, true); err != nil || h.pauses != 1 || h.weight.Weight != 1 || e.used.Load() != 0 {
		t.Errorf("%v, %d pauses, weight %d", err, h.pauses, h.weight.Weight)
	}
}

// only is the entry of the one domain that is kept.
func (k *keeping) only(t *testing.T) *keeper.Entry {
	t.Helper()
	for e := range k.Entries() {
		return e
	}
	t.Fatal("no domain is kept")
	return nil
}

func TestDomainHasItsBudgetFromAdoptionToRelease(t *testing.T) {
	h, l := newHost(), newLedger(t)
	k := newKeeping(h, l, nil) // without a thread
	r := rtsched.Task{ID: 2048, Budget: 10 * ms, Period: time.Hour}
	if err := k.adopt(3, on(r)); err != nil || h.weight.Weight != 4864 {
		t.Fatalf("%v, weight %d", err, h.weight.Weight)
	}
	if err := k.adopt(3, on(rtsched.Task{ID: 2049, Budget: ms, Period: time.Hour})); !errors.Is(err, host.ErrNotAllowed) {
		t.Error(err)
	}
	e := k.only(t)
	h.info.CPUTime += 4 * ms
	if k.Look(e); h.weight.Weight != 4864 {
		t.Errorf("weight %d with budget", h.weight.Weight)
	}
	h.info.CPUTime += 6 * ms
	if k.Look(e); h.weight.Weight != lowest {
		t.Errorf("weight %d without budget", h.weight.Weight)
	}
	h.info.CPUTime += 3 * ms
	u, err := k.usage(3, 2048)
	if err != nil || u.Foreground != 10*ms || u.Background != 3*ms || u.Left != 0 {
		t.Errorf("%+v, %v", u, err)
	}
	// A guard may have given all back.
	if err := l.giveBack(h, true, false); err != nil || h.weight.Weight != 300 {
		t.Errorf("%v, weight %d", err, h.weight.Weight)
	}
	e.Reapply()
	if k.Look(e); h.weight.Weight != lowest {
		t.Errorf("weight %d after the lease was lost", h.weight.Weight)
	}
	if err := k.Drop(e); err != nil || h.weight.Weight != 300 || k.Len() != 0 || l.used() != 0 {
		t.Errorf("released: %v, weight %d", err, h.weight.Weight)
	}
	if _, err := k.usage(3, 2048); !errors.Is(err, host.ErrNoDomain) {
		t.Error(err)
	}
	// What an earlier daemon did to domains that are not kept is undone.
	newEntry(t, l, h, 4864).told(t, h, false)
	if err := k.sweep(); err != nil || h.weight.Weight != 300 {
		t.Errorf("swept: %v, weight %d", err, h.weight.Weight)
	}
	h.migrate(3)
	h.beside = waiting
	if err := k.adopt(3, on(r)); err != nil || h.pauses != 0 {
		t.Fatalf("%v, %d pauses", err, h.pauses)
	}
	h.info.CPUTime += 10 * ms
	if k.Look(k.only(t)); h.pauses != 1 {
		t.Errorf("%d pauses, where there are no weights", h.pauses)
	}
	h.gone = true
	if _, err := k.usage(3, 2048); !errors.Is(err, host.ErrNoDomain) || k.Len() != 0 {
		t.Errorf("%v; kept: %d", err, k.Len())
	}
}

func TestLedgerOfAnotherProgramIsRefused(t *testing.T) {
	name := filepath.Join(t.TempDir(), "ledger")
	l, err := openLedger(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.close(), unix.Truncate(name, 100)); err != nil {
		t.Fatal(err)
	}
	if _, err := openLedger(name); err == nil || !strings.Contains(err.Error(), name) {
		t.Error(err)
	}
}
