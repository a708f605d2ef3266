// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/xenctl"
)

// waiting is a vCPU that wants CPU 1 and does not have it.
var waiting = []xenctl.VCPU{{Online: true, CPU: 1}}

// undercredit is [depleted] with the domain in a pool under credit, beside
// another that waits for its CPU.
func undercredit(t *testing.T) (*keeping, *fakeHost, *domain) {
	t.Helper()
	h := newHost()
	h.migrate(2)
	h.idle = make([]time.Duration, 2)
	h.beside = waiting
	k := newKeeping(h, newLedger(t), nil) // without a thread
	if err := k.adopt(3, on(task)); err != nil || h.weight.Weight != fourfold || h.pauses != 0 {
		t.Fatalf("%v, weight %d, %d pauses", err, h.weight.Weight, h.pauses)
	}
	h.info.CPUTime += 10 * ms
	e := k.only(t)
	if k.Look(e); h.pauses != 1 || k.spare.due > clock.Monotonic() {
		t.Fatalf("without budget: %d pauses, looked at in %v", h.pauses, k.spare.due-clock.Monotonic())
	}
	k.findSpare() // reads idle times for the first time
	return k, h, k.of(e)
}

// looked is a look after a time in which the domain's CPU was idle, or was not.
func (h *fakeHost) looked(k *keeping, idle bool) {
	if idle {
		h.idle[1] += time.Hour
	}
	k.findSpare()
}

func TestDomainWithoutBudgetRunsWhileItsCPUIsIdle(t *testing.T) {
	k, h, d := undercredit(t)
	for range 10 {
		if h.looked(k, false); h.pauses != 1 {
			t.Fatal("it runs although another wants the CPU")
		}
	}
	if d.turn.wait != patience {
		t.Errorf("idle times are read every %v", d.turn.wait)
	}
	h.beside = nil
	if h.looked(k, true); h.pauses != 0 || d.resumed == 0 { // so looks are quick
		t.Fatalf("its CPU is idle: %d pauses, resumed at %v", h.pauses, d.resumed)
	}
	// Another wakes for a moment, again and again: it goes first each time.
	h.kicks = 0
	for range 10 {
		h.beside = waiting
		h.looked(k, false)
		h.beside = nil
		h.looked(k, false)
	}
	if h.pauses != 0 || h.kicks != 10 || d.turn.from != 0 {
		t.Errorf("%d pauses, gave way %d times", h.pauses, h.kicks)
	}
	h.beside = waiting
	h.looked(k, false)
	d.turn.from -= bout
	if h.looked(k, false); h.pauses != 1 || d.turn.wait != probe {
		t.Errorf("another wants the CPU: %d pauses, idle times are read in %v", h.pauses, d.turn.wait)
	}
}

// A domain that waits behind another is contended, unless the other is Dom0,
// which looks, or in background as well.
func TestDomainThatWaitsBehindAnotherIsContended(t *testing.T) {
	k, h, d := undercredit(t)
	h.pauses, h.vcpus = 0, waiting
	for runs, want := range map[uint16]bool{0: false, 3: false, neighbour: true} {
		all := k.claims()
		c := all[1]
		c.runs, c.any, c.waits = runs, true, []uint16{3}
		all[1] = c
		if waits, behind := d.others(all); waits || behind != want {
			t.Errorf("behind domain %d: %v, another waits: %v", runs, behind, waits)
		}
	}
	c := claims{1: {waits: []uint16{0}}}
	if waits, behind := d.others(c); !waits || behind {
		t.Error("Dom0 waits")
	}
	d.on = []int{0}
	if waits, behind := d.others(c); waits || behind {
		t.Error("another waits for another CPU")
	}
}

// Domains in background share a CPU: one that is stopped joins one that runs.
func TestDomainsInBackgroundShareACPU(t *testing.T) {
	k, h, d := undercredit(t)
	if !d.another(neighbour) {
		t.Error("a domain that is not adopted is no other")
	}
	r := on(rtsched.Task{ID: 2049, Budget: ms, Period: time.Hour})
	if err := k.adopt(neighbour, r); err != nil {
		t.Fatal(err)
	}
	peer := k.of(k.Entry(2049))
	if !d.another(neighbour) {
		t.Error("a domain with budget is no other")
	}
	peer.foreground, peer.turn = false, turn{runs: true}
	h.beside = nil
	if h.looked(k, false); h.pauses != 0 || !peer.turn.runs {
		t.Errorf("%d pauses, the other runs: %v", h.pauses, peer.turn.runs)
	}
	if d.another(neighbour) {
		t.Error("a domain in background is another")
	}
}

// A domain whose budget ends is not taken to be alone because its CPU was idle
// before it ran.
func TestIdleTimeBeforeAStopDoesNotCount(t *testing.T) {
	k, h, d := undercredit(t)
	d.yield()
	if h.looked(k, true); h.pauses != 1 {
		t.Error("it runs")
	}
}

// Where none waits when its budget ends, a domain runs on and is never stopped.
func TestDomainAloneIsNotStopped(t *testing.T) {
	k, h, d := undercredit(t)
	e := k.only(t)
	e.Account = keeper.NewAccount(task, clock.Monotonic())
	k.Look(e)
	h.kicks, h.beside, h.info.Running = 0, nil, true
	h.info.CPUTime += 10 * ms
	if k.Look(e); h.kicks != 0 || d.foreground || !d.turn.runs {
		t.Errorf("paused %d times", h.kicks)
	}
}

// With budget again it runs whatever others want, and no look stops it.
func TestLooksForSpareTimeLeaveForegroundAlone(t *testing.T) {
	k, h, d := undercredit(t)
	e := k.only(t)
	e.Account = keeper.NewAccount(task, clock.Monotonic())
	if k.Look(e); h.pauses != 0 || !d.foreground || h.weight.Weight != fourfold {
		t.Fatalf("%d pauses with budget, weight %d", h.pauses, h.weight.Weight)
	}
	if h.looked(k, false); h.pauses != 0 || k.spare.due != keeper.Never {
		t.Errorf("%d pauses, looked at %v", h.pauses, k.spare.due)
	}
	// One that waits for the CPU is put in front, again and again.
	h.info.Running, h.kicks = false, 0
	k.Look(e)
	k.Look(e)
	if h.kicks != 2 || h.pauses != 0 {
		t.Errorf("%d kicks, %d pauses", h.kicks, h.pauses)
	}
	h.info.Running = true
	if k.Look(e); h.kicks != 2 {
		t.Error("kicked while it runs")
	}
	k.released(t, h, e, 256)
}

// A domain of several vCPUs runs if each of those that want to has an idle CPU.
func TestDomainOfSeveralVCPUsNeedsAsManyIdleCPUs(t *testing.T) {
	k, h, d := undercredit(t)
	d.on = []int{0, 1}
	h.info.MaxVCPUID, d.info.MaxVCPUID = 1, 1
	h.vcpus = []xenctl.VCPU{{Online: true}, {ID: 1, Online: true}}
	if h.looked(k, true); h.pauses != 1 {
		t.Error("two vCPUs run where one CPU is idle")
	}
	h.vcpus[0].Blocked = true
	if h.looked(k, true); h.pauses != 0 {
		t.Error("one vCPU does not run where one CPU is idle")
	}
}

// A domain stays stopped while idle times cannot be read, and no longer.
func TestIdleTimesThatCannotBeReadStopNothingElse(t *testing.T) {
	k, h, _ := undercredit(t)
	idle := h.idle
	h.idle = nil
	if k.findSpare(); h.pauses != 1 {
		t.Error("it runs")
	}
	h.idle = idle
	k.findSpare()
	if h.looked(k, true); h.pauses != 0 {
		t.Error("it does not run")
	}
}

// Whatever happens to a stopped domain, nothing stays paused by us, and an
// operator's pause stays.
func TestStoppedDomainIsResumedWhateverHappens(t *testing.T) {
	for name, happens := range map[string]func(*keeping, *fakeHost, *keeper.Entry){
		"it is released":              func(k *keeping, _ *fakeHost, e *keeper.Entry) { _ = k.Drop(e) },
		"the daemon is dead":          func(k *keeping, h *fakeHost, _ *keeper.Entry) { _ = k.ledger.giveBack(h, true, true) },
		"the daemon ends":             func(k *keeping, _ *fakeHost, e *keeper.Entry) { _ = e.Close(true) },
		"it is moved to credit2":      func(k *keeping, h *fakeHost, e *keeper.Entry) { h.migrate(0); k.Look(e) },
		"it is renamed, and released": func(k *keeping, h *fakeHost, e *keeper.Entry) { h.info.UUID = [16]byte{9}; _ = k.Drop(e) },
		"its pool gets credit2":       func(k *keeping, h *fakeHost, e *keeper.Entry) { h.pools[2] = xenctl.Credit2; k.again(e) },
		"its weight is set; a dead daemon": func(k *keeping, h *fakeHost, _ *keeper.Entry) {
			h.weight.Weight = 9
			_ = k.ledger.giveBack(h, true, true)
		},
	} {
		for operator := range 2 {
			k, h, _ := undercredit(t)
			h.pauses += operator
			if happens(k, h, k.only(t)); h.pauses != operator {
				t.Errorf("%s: %d pauses, %d of an operator", name, h.pauses, operator)
			}
		}
	}
}

// An operator's weight is given back, and is not in force meanwhile.
func TestWeightUnderCreditIsGivenBack(t *testing.T) {
	k, h, _ := undercredit(t)
	h.weight.Weight = 700
	e := k.only(t)
	if k.again(e); h.weight.Weight != lowest {
		t.Errorf("weight %d", h.weight.Weight)
	}
	k.released(t, h, e, 700)
}

// A domain that is gone is dropped.
func TestSpareTimeOfADomainThatIsGone(t *testing.T) {
	k, h, d := undercredit(t)
	h.gone = true
	if h.looked(k, true); d.turn.runs {
		k.Look(k.only(t))
	}
	if _, err := k.usage(3, 2048); err == nil || k.Len() != 0 || k.ledger.used() != 0 {
		t.Errorf("%v, %d kept, %d in the ledger", err, k.Len(), k.ledger.used())
	}
}

// If Xen refuses to change the weight, the place is looked up again.
func TestRefusedWeightHasThePlaceLookedUp(t *testing.T) {
	k, h, _ := undercredit(t)
	h.pools[2] = xenctl.Credit2 // meanwhile
	e := k.only(t)
	e.Reapply()
	if k.Look(e); e.Err() == nil {
		t.Fatal("no problem")
	}
	if k.Look(e); e.Err() != nil || h.weight.Weight != lowest || h.pauses != 0 {
		t.Errorf("%v, weight %d, %d pauses", e.Err(), h.weight.Weight, h.pauses)
	}
	if err := k.Drop(e); err != nil || h.pauses != 0 {
		t.Error(err, h.pauses)
	}
}
