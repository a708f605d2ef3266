// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vlibos/vlibos/rtsched"
)

const ms = time.Millisecond

// charge charges a reading, and returns what the account says then.
func charge(a *SporadicAccount, r Reading) State {
	s, err := a.Charge(r)
	if err != nil {
		panic(err) // it has none
	}
	return s
}

func TestAccountInfersWhenItWasUsed(t *testing.T) {
	type look struct{ now, used, others time.Duration }
	for _, tt := range []struct {
		name         string
		cpus         int
		contended    bool
		looks        []look
		front, back  time.Duration
		overrun      time.Duration
		left, next   time.Duration
		asleep, fore bool
	}{
		{"part of it", 1, false, []look{{4 * ms, 4 * ms, 0}}, 4 * ms, 0, 0, 6 * ms, 0, false, true},
		{"all of it", 1, false, []look{{10 * ms, 10 * ms, 0}}, 10 * ms, 0, 0, 0, 100 * ms, false, false},
		{"beyond it in background", 1, false, []look{{10 * ms, 10 * ms, 0}, {50 * ms, 7 * ms, 0}}, 10 * ms, 7 * ms, 0, 0, 100 * ms, false, false},
		{"overrun is of the next", 1, false, []look{{12 * ms, 12 * ms, 0}}, 10 * ms, 0, 2 * ms, 0, 100 * ms, false, false},
		{"and paid then", 1, false, []look{{12 * ms, 12 * ms, 0}, {100 * ms, 0, 0}}, 12 * ms, 0, 0, 8 * ms, 100 * ms, false, true},
		{"whole budgets of it never", 1, false, []look{{33 * ms, 33 * ms, 0}}, 10 * ms, 20 * ms, 3 * ms, 0, 300 * ms, false, false},
		{"sleeps", 1, false, []look{{10 * ms, 0, 0}}, 0, 0, 0, 10 * ms, 0, true, true},
		{"may have waited", 1, false, []look{{10 * ms, 0, 9 * ms}}, 0, 0, 0, 10 * ms, 0, false, true},
		{"too short to tell", 1, false, []look{{ms / 2, 0, 0}}, 0, 0, 0, 10 * ms, 0, false, true},
		{"what others used before is not lost", 1, false, []look{{ms / 2, 0, ms / 2}, {ms, 0, ms / 4}}, 0, 0, 0, 10 * ms, 0, false, true},
		{"wakes, and the refill is dated from then", 1, false, []look{{40 * ms, 0, 0}, {50 * ms, 10 * ms, 0}}, 10 * ms, 0, 0, 0, 140 * ms, false, false},
		{"slept in between", 1, false, []look{{50 * ms, 10 * ms, 0}}, 10 * ms, 0, 0, 0, 140 * ms, false, false},
		{"two at once can have begun later", 2, false, []look{{50 * ms, 10 * ms, 0}}, 10 * ms, 0, 0, 0, 145 * ms, false, false},
		{"waited longer for one without budget", 1, false, []look{{ms, ms, 0}, {5 * ms, 0, 4 * ms}, {6 * ms, ms, 0}}, 2 * ms, 0, 0, 8 * ms, 5 * ms, false, true},
		{"waited for one without budget", 1, false, []look{{20 * ms, 10 * ms, 10 * ms}}, 10 * ms, 0, 0, 0, 110 * ms, false, false},
		{"waited for others in between", 1, true, []look{{ms, ms, 0}, {20 * ms, 9 * ms, 10*ms - Disturbance}}, 10 * ms, 0, 0, 0, 100 * ms, false, false},
	} {
		a := NewAccount(rtsched.Task{ID: 1, Budget: 10 * ms, Period: 100 * ms}, 0)
		var s State
		for _, l := range tt.looks {
			s = charge(a, Reading{
				Now: l.now, Used: l.used, Others: l.others, Contended: tt.contended, CPUs: tt.cpus, Disturbed: Disturbance,
			})
		}
		if a.front != tt.front || a.back != tt.back || a.overrun != tt.overrun || s.Asleep != tt.asleep || s.Foreground != tt.fore ||
			s.Left != tt.left || a.server.Next() != tt.next && tt.next != 0 {
			t.Errorf("%s: %+v, %+v, next %v", tt.name, a, s, a.server.Next())
		}
	}
}

// Whatever is read and when: foreground, background and what is not paid for yet
// are the time used; no sum gets smaller; and there is not more foreground than
// budgets.
func TestForegroundAndBackgroundAreWhatWasUsed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const budget, period = 10 * ms, 100 * ms
		cpus := rapid.IntRange(1, 4).Draw(t, "cpus")
		a := NewAccount(rtsched.Task{ID: 1, Budget: budget, Period: period}, 0)
		var now, used time.Duration
		for range rapid.IntRange(1, 200).Draw(t, "looks") {
			step := time.Duration(rapid.Int64Range(int64(MinLook), int64(40*ms)).Draw(t, "step"))
			u := time.Duration(rapid.Int64Range(0, int64(step)*int64(cpus)).Draw(t, "used"))
			b := time.Duration(rapid.Int64Range(0, int64(step)).Draw(t, "without budget"))
			before := *a
			now, used = now+step, used+u+b
			s := charge(a, Reading{
				Now: now, Used: u, Back: b, Others: time.Duration(rapid.Int64Range(0, int64(step)).Draw(t, "others")),
				Contended: rapid.Bool().Draw(t, "contended"), Waiting: rapid.Bool().Draw(t, "waiting"),
				Awake: rapid.Bool().Draw(t, "awake"), CPUs: cpus,
				Disturbed: time.Duration(rapid.Int64Range(0, int64(Disturbance)).Draw(t, "disturbed")),
			})
			if a.front < before.front || a.back < before.back {
				t.Fatalf("less than before: %+v, %+v", before, a)
			}
			if sum := a.front + a.back + a.overrun; sum != used {
				t.Fatalf("%v used, %v counted", used, sum)
			}
			if most := (now/period + 1) * budget; a.front > most {
				t.Fatalf("%v of foreground by %v", a.front, now)
			}
			if !s.Unsure && s.Foreground != (s.Left > 0) {
				t.Fatalf("foreground %v, left %v", s.Foreground, s.Left)
			}
		}
	})
}

// sample is how much foreground there was by a moment.
type sample struct{ at, front time.Duration }

// most is the most foreground time that a window of that length has.
func most(all []sample, length time.Duration) (most time.Duration) {
	from := 0
	for _, s := range all {
		for all[from].at < s.at-length {
			from++
		}
		most = max(most, s.front-all[from].front)
	}
	return most
}

// However it is used and looked at, no period has more foreground than the
// budget, but for what a look came too late for.
func TestNoPeriodHasMoreForegroundThanTheBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		period := time.Duration(rapid.IntRange(1000, 100000).Draw(t, "period")) * time.Microsecond
		budget := time.Duration(rapid.IntRange(200, int(period/time.Microsecond)).Draw(t, "budget")) * time.Microsecond
		a := NewAccount(rtsched.Task{ID: 1, Budget: budget, Period: period}, 0)
		const latest = 100 * time.Microsecond
		var now time.Duration
		s := State{Foreground: true, Left: budget}
		all := []sample{{0, 0}}
		for range rapid.IntRange(1, 300).Draw(t, "looks") {
			elapsed := time.Duration(rapid.IntRange(1, 3000).Draw(t, "elapsed")) * time.Microsecond
			if s.Foreground {
				// As the keeper does, but late by so much.
				elapsed = min(elapsed, s.Left) + time.Duration(rapid.IntRange(0, int(latest/time.Microsecond)).Draw(t, "late"))*time.Microsecond
			}
			used := time.Duration(rapid.SampledFrom([]int{0, 0, 1, 50, 99, 100, 100, 100}).Draw(t, "part")) * elapsed / 100
			now += elapsed
			s = charge(a, Reading{Now: now, Used: used, Contended: true, Awake: true})
			if s.Overrun > latest {
				t.Fatalf("%v beyond the budget at one look", s.Overrun)
			}
			all = append(all, sample{now, a.front})
		}
		// An overrun is paid for later; one at each end of a window.
		if most := most(all, period); most > budget+2*latest {
			t.Fatalf("%v of foreground in a window of %v, the budget is %v, looks are up to %v late", most, period, budget, latest)
		}
	})
}

// What always wants to run has all of its budget in every period, and no more,
// also when others go first.
func TestAllOfTheBudgetIsHadInEveryPeriod(t *testing.T) {
	const budget, period, step = 10 * time.Millisecond, 100 * time.Millisecond, 100 * time.Microsecond
	a := NewAccount(rtsched.Task{ID: 1, Budget: budget, Period: period}, 0)
	for now := step; now <= 100*period; now += step {
		r := Reading{Now: now, Used: step, Contended: true, Awake: true}
		// In each 20 ms another has the first 5.
		if (now-step)%(20*time.Millisecond) < 5*time.Millisecond {
			r.Used, r.Others = 0, step
		}
		charge(a, r)
	}
	if a.front < 99*budget || a.front > 100*budget {
		t.Errorf("%v of foreground in 100 periods of %v", a.front, budget)
	}
}

// A task that is known to have waited for its budget has had a claim to it
// since it woke up; a task that sleeps has one from the time when it wants to
// run.
func TestWaitingIsAClaimToTheBudget(t *testing.T) {
	a := NewAccount(rtsched.Task{ID: 1, Budget: 10 * ms, Period: 100 * ms}, 0)
	look := func(now, used time.Duration, waiting bool) State {
		return charge(a, Reading{Now: now, Used: used, Others: now - a.seen - used, Contended: waiting, Waiting: waiting})
	}
	look(2*ms, 0, true) // it has begun now
	if s := look(13*ms, 10*ms, true); s.Foreground || a.server.Next() != 102*ms {
		t.Errorf("%+v, next %v", s, a.server.Next())
	}
	look(104*ms, 3*ms, true) // the look is late, its budget was not
	if s := look(120*ms, 10*ms, true); s.Foreground || a.server.Next() != 202*ms || a.front != 20*ms || a.back != 3*ms {
		t.Errorf("%+v, next %v", a, a.server.Next())
	}
	look(204*ms, 0, false)
	look(250*ms, 0, false)
	if s := look(260*ms, 0, true); s.Asleep || s.Left != 10*ms || a.server.Next() != 260*ms {
		t.Errorf("what woke up: %+v, next %v", s, a.server.Next())
	}
}

// What may use two CPUs, and has wanted to run at both looks, did not sleep for
// half of the time between them.
func TestAwakeAtBothLooksDidNotSleep(t *testing.T) {
	for awake, next := range map[bool]time.Duration{false: 105 * ms, true: 101 * ms} {
		a := NewAccount(rtsched.Task{ID: 1, Budget: 8 * ms, Period: 100 * ms}, 0)
		s := charge(a, Reading{Now: 9 * ms, Used: 8 * ms, Awake: awake, CPUs: 2, Disturbed: Disturbance})
		if s.Foreground || a.server.Next() != next {
			t.Errorf("awake %v: %+v, next %v, want %v", awake, s, a.server.Next(), next)
		}
	}
}
