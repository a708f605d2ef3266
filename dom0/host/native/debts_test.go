// SPDX-License-Identifier: Apache-2.0

package native

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vlibos/vlibos/vlibcall/transport/native/ledger"
)

func TestDebtsAreWhatIsClaimedAndWasUsed(t *testing.T) {
	b := newDebts(1000)
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
		// A server that was restarted counts from 0.
		{1500, ledger.Claim{Used: map[uint32]time.Duration{1: 30, 2: 0}}, 30, 0, 70},
		// One that claims more than it ran is charged for what it ran.
		{1600, ledger.Claim{Used: map[uint32]time.Duration{1: 1 << 60, 2: 0}}, 100, 0, 0},
		{1600, ledger.Claim{Serving: 1, Start: 0, Used: map[uint32]time.Duration{1: 1 << 60, 2: 1 << 60}}, 0, 0, 0},
		// A server that claims nothing owes nothing.
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
func TestAllThatACalleeUsesIsOwedOrUnpaidOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newDebts(0)
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
					claim.Serving, claim.Start = uint32(rapid.IntRange(1, 2).Draw(t, "caller")), usage
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
