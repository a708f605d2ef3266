// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/xenctl"
)

// undercredit is [depleted] with the domain in a pool under credit.
func undercredit(t *testing.T) (*keeping, *fakeHost, *domain) {
	t.Helper()
	h := newHost()
	h.migrate(2)
	h.idle = make([]time.Duration, 2)
	k := newKeeping(h, newLedger(t), nil) // without a thread
	if err := k.adopt(3, on(task)); err != nil || h.weight.Weight != heavier*standard || h.pauses != 0 {
		t.Fatalf("%v, weight %d, %d pauses", err, h.weight.Weight, h.pauses)
	}
	h.info.CPUTime += 10 * ms
	e := k.only(t)
	if k.Look(e); h.pauses != 1 || k.spare.due > clock.Monotonic() {
		t.Fatalf("without budget: %d pauses, probed in %v", h.pauses, k.spare.due-clock.Monotonic())
	}
	k.findSpare() // begins to probe
	return k, h, k.of(e)
}

// probed ends a probe during which the domain's CPU was idle, or was not.
func (h *fakeHost) probed(k *keeping, idle bool) {
	if idle {
		h.idle[1] += time.Hour
	}
	k.findSpare()
}

func TestDomainWithoutBudgetRunsWhileItsCPUIsIdle(t *testing.T) {
	k, h, d := undercredit(t)
	if h.probed(k, true); h.pauses != 0 || k.spare.due < clock.Monotonic()+slice/2 {
		t.Fatalf("its CPU is idle: %d pauses, probed in %v", h.pauses, k.spare.due-clock.Monotonic())
	}
	if h.probed(k, false); h.pauses != 0 {
		t.Fatal("stopped within its slice")
	}
	d.turn.since -= slice
	if h.probed(k, true); h.pauses != 1 || k.spare.due > clock.Monotonic()+probe {
		t.Errorf("its slice is over: %d pauses, probed in %v", h.pauses, k.spare.due-clock.Monotonic())
	}
	// Another domain runs: it stays stopped, and is looked after less often.
	for range 10 {
		if h.probed(k, false); h.pauses != 1 {
			t.Fatal("it runs although another wants the CPU")
		}
	}
	if d.turn.wait != patience {
		t.Errorf("probed every %v", d.turn.wait)
	}
	if h.probed(k, true); h.pauses != 0 {
		t.Error("stopped although its CPU is idle again")
	}
}

// A domain whose budget ends is not taken to be alone because its CPU was idle
// before it ran.
func TestIdleTimeBeforeAStopDoesNotCount(t *testing.T) {
	k, h, d := undercredit(t)
	d.yield()
	if h.probed(k, true); h.pauses != 1 {
		t.Error("it runs")
	}
}

// With budget again it runs whatever others want, and no probe stops it.
func TestProbesLeaveForegroundAlone(t *testing.T) {
	k, h, d := undercredit(t)
	e := k.only(t)
	e.Account = keeper.NewAccount(task, clock.Monotonic())
	if k.Look(e); h.pauses != 0 || !d.foreground {
		t.Fatalf("%d pauses with budget", h.pauses)
	}
	if h.probed(k, false); h.pauses != 0 || k.spare.due != keeper.Never {
		t.Errorf("%d pauses, probed at %v", h.pauses, k.spare.due)
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
	if h.probed(k, true); h.pauses != 1 {
		t.Error("two vCPUs run where one CPU is idle")
	}
	h.vcpus[0].Blocked = true
	if h.probed(k, true); h.pauses != 0 {
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
	if h.probed(k, true); h.pauses != 0 {
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

// An operator's weight is given back, and one that a new pool gives is left.
func TestWeightUnderCreditIsGivenBack(t *testing.T) {
	k, h, _ := undercredit(t)
	h.weight.Weight = 700
	e := k.only(t)
	if k.again(e); h.weight.Weight != heavier*standard {
		t.Errorf("weight %d", h.weight.Weight)
	}
	k.released(t, h, e, 700)
	k, h, _ = undercredit(t)
	h.weight.Weight = lowest // which is an operator's here
	e = k.only(t)
	k.again(e)
	k.released(t, h, e, lowest)
}

// A domain that is gone is dropped by a probe.
func TestProbeOfADomainThatIsGone(t *testing.T) {
	k, h, d := undercredit(t)
	h.gone = true
	if h.probed(k, true); d.turn.runs {
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
