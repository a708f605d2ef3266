// SPDX-License-Identifier: Apache-2.0

package native

import (
	"time"

	"github.com/vlibos/vlibos/vlibcall/transport/native/ledger"
)

// debts tell what each reservation owes for a callee, from the claims of the
// callee's server and the time that the kernel has counted for its cgroup. It
// makes no system calls.
type debts struct {
	usage   time.Duration // the cgroup's, at the last reading
	claimed map[uint32]time.Duration
	owed    map[uint32]time.Duration // what was returned last
}

// carried is how much of what is claimed beyond what was used is owed the next
// time: version 2 of cgroups counts in whole microseconds, and readings are not
// at one moment. The rest of such a claim is a lie.
const carried = 100 * time.Microsecond

func newDebts(usage time.Duration) debts {
	return debts{usage: usage, claimed: make(map[uint32]time.Duration), owed: make(map[uint32]time.Duration)}
}

// read returns the time owed by each reservation since the last reading,
// together no more than was used, and the time that was used for none. A
// reservation that is not in the claim owes nothing. The map is valid until the
// next reading.
func (b *debts) read(usage time.Duration, c ledger.Claim) (owed map[uint32]time.Duration, unpaid time.Duration) {
	ran := max(usage-b.usage, 0)
	b.usage = usage
	owed = b.owed
	clear(owed)
	charge := func(r uint32) {
		claim := c.Used[r]
		if c.Serving == r {
			claim += max(usage-c.Start, 0)
		}
		was := b.claimed[r]
		if claim < was {
			was = 0 // it is another ledger
		}
		part := min(claim-was, ran)
		ran -= part
		owed[r] = part
		b.claimed[r] = max(was+part, claim-carried)
	}
	// The one that is being served first: only it can have used time since.
	if _, ok := c.Used[c.Serving]; ok {
		charge(c.Serving)
	}
	for r := range c.Used {
		if r != c.Serving {
			charge(r)
		}
	}
	return owed, ran
}

// begin adds a reservation, which does not owe the time claimed before.
func (b *debts) begin(r uint32, claimed time.Duration) { b.claimed[r] = claimed }

// end removes a reservation.
func (b *debts) end(r uint32) { delete(b.claimed, r) }
