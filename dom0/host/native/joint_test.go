// SPDX-License-Identifier: Apache-2.0

package native

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/vlibcall/transport/native/ledger"
)

// world is time that passes, of which a reservation's threads and callees use
// what they want, one after the other or at once, in foreground and beyond.
type world struct {
	now   time.Duration
	j     joint
	front []sample      // foreground time so far
	worst time.Duration // overrun
}

type sample struct{ at, front time.Duration }

func (w *world) step(elapsed, used time.Duration) {
	w.now += elapsed
	if w.j.foreground {
		w.worst = max(w.worst, used-w.j.server.Left(w.now))
	}
	w.j.look(w.now, used, 0)
	w.front = append(w.front, sample{w.now, w.j.front})
}

// most is the most foreground time that a window of that length has.
func (w *world) most(length time.Duration) (most time.Duration) {
	from := 0
	for _, s := range w.front {
		for w.front[from].at < s.at-length {
			from++
		}
		most = max(most, s.front-w.front[from].front)
	}
	return most
}

// However own and callees' time is mixed and looked at, no period has more of
// the sum in foreground than the budget, but for what a look came too late for;
// and all that was used is in one of the two sums.
func TestJointProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		period := time.Duration(rapid.IntRange(1000, 100000).Draw(t, "period")) * time.Microsecond
		budget := time.Duration(rapid.IntRange(200, int(period/time.Microsecond)).Draw(t, "budget")) * time.Microsecond
		w := &world{j: newJoint(rtsched.Task{ID: 1, Budget: budget, Period: period}, 0)}
		w.front = []sample{{0, 0}}
		const latest = 100 * time.Microsecond
		var used time.Duration
		for range rapid.IntRange(1, 300).Draw(t, "looks") {
			left := w.j.server.Left(w.now)
			elapsed := time.Duration(rapid.IntRange(1, 3000).Draw(t, "elapsed")) * time.Microsecond
			if w.j.foreground {
				// As the keeper does, but late by so much.
				elapsed = min(elapsed, left) + time.Duration(rapid.IntRange(0, int(latest/time.Microsecond)).Draw(t, "late"))*time.Microsecond
			}
			part := time.Duration(rapid.SampledFrom([]int{0, 0, 1, 50, 99, 100, 100, 100}).Draw(t, "part")) * elapsed / 100
			used += part
			w.step(elapsed, part)
		}
		if w.j.front+w.j.back != used {
			t.Fatalf("%v and %v of %v", w.j.front, w.j.back, used)
		}
		if w.worst > latest {
			t.Fatalf("the worst overrun is %v", w.worst)
		}
		// An overrun is paid back later; one at each end of a window.
		if most := w.most(period); most > budget+2*latest {
			t.Fatalf("%v of foreground in a window of %v, the budget is %v, looks are up to %v late", most, period, budget, latest)
		}
	})
}

// Who always wants to run has all of its budget in every period, and no more,
// also when others go first.
func TestJointShare(t *testing.T) {
	const budget, period, step = 10 * time.Millisecond, 100 * time.Millisecond, 100 * time.Microsecond
	j := newJoint(rtsched.Task{ID: 1, Budget: budget, Period: period}, 0)
	for now := step; now <= 100*period; now += step {
		// In each 20 ms somebody else has the first 5.
		if (now-step)%(20*time.Millisecond) < 5*time.Millisecond {
			j.look(now, 0, step)
		} else {
			j.look(now, step, 0)
		}
	}
	if j.front < 99*budget || j.front > 100*budget {
		t.Errorf("%v of foreground in 100 periods of %v", j.front, budget)
	}
}

func TestBill(t *testing.T) {
	b := newBill(1000)
	b.begin(1, 50)
	b.begin(2, 0)
	for _, step := range []struct {
		usage        time.Duration
		claim        ledger.Claim
		one, two, un time.Duration
	}{
		{1100, ledger.Claim{Used: map[uint32]time.Duration{1: 50, 2: 0}}, 0, 0, 100},
		{1200, ledger.Claim{Serving: 1, Start: 1120, Used: map[uint32]time.Duration{1: 50, 2: 0}}, 80, 0, 20},
		{1300, ledger.Claim{Serving: 2, Start: 1260, Used: map[uint32]time.Duration{1: 180, 2: 0}}, 50, 40, 10},
		{1400, ledger.Claim{Used: map[uint32]time.Duration{1: 180, 2: 100}}, 0, 60, 40},
		// A server that was started anew counts from 0.
		{1500, ledger.Claim{Used: map[uint32]time.Duration{1: 30, 2: 0}}, 30, 0, 70},
		// One that lies gets what it ran.
		{1600, ledger.Claim{Used: map[uint32]time.Duration{1: 1 << 60, 2: 0}}, 100, 0, 0},
		{1600, ledger.Claim{Serving: 1, Start: 0, Used: map[uint32]time.Duration{1: 1 << 60, 2: 1 << 60}}, 0, 0, 0},
		// What does not say, owes nothing.
		{1700, ledger.Claim{}, 0, 0, 100},
	} {
		owed, unpaid := b.read(step.usage, step.claim)
		if owed[1] != step.one || owed[2] != step.two || unpaid != step.un {
			t.Errorf("at %d: %v, unpaid %d; want %+v", step.usage, owed, unpaid, step)
		}
	}
}

// Whatever a server claims, all that its cgroup has used is owed or unpaid, once;
// and what an honest one claims is owed in the end, however readings and calls
// mix.
func TestBillProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBill(0)
		owed := map[uint32]time.Duration{}
		honest := rapid.Bool().Draw(t, "honest")
		claim := ledger.Claim{Used: map[uint32]time.Duration{1: 0, 2: 0}}
		b.begin(1, 0)
		b.begin(2, 0)
		var usage, all time.Duration
		read := func() {
			seen := ledger.Claim{Serving: claim.Serving, Start: claim.Start, Used: map[uint32]time.Duration{1: claim.Used[1], 2: claim.Used[2]}}
			if !honest && rapid.Bool().Draw(t, "lies") {
				seen.Used[1] += time.Duration(rapid.IntRange(-1000, 1000).Draw(t, "lie"))
				seen.Used[1] = max(seen.Used[1], 0)
			}
			got, unpaid := b.read(usage, seen)
			for r, d := range got {
				if d < 0 {
					t.Fatalf("%d owes %v", r, d)
				}
				owed[r] += d
				all += d
			}
			if all += unpaid; all != usage {
				t.Fatalf("of %v, %v is accounted for", usage, all)
			}
		}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			usage += time.Duration(rapid.IntRange(0, 1000).Draw(t, "ran"))
			switch rapid.IntRange(0, 3).Draw(t, "event") {
			case 0:
				read()
			case 1:
				if claim.Serving == 0 {
					claim.Serving, claim.Start = uint32(rapid.IntRange(1, 2).Draw(t, "who")), usage
				}
			case 2:
				if claim.Serving != 0 {
					claim.Used[claim.Serving] += usage - claim.Start
					claim.Serving = 0
				}
			}
		}
		read()
		if claim.Serving != 0 {
			claim.Used[claim.Serving] += usage - claim.Start
		}
		for r, want := range claim.Used {
			if honest && owed[r] != want {
				t.Fatalf("%d owes %v, has used %v", r, owed[r], want)
			}
		}
	})
}
