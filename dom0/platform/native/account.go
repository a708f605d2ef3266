// SPDX-License-Identifier: Apache-2.0

package native

import (
	"time"

	"github.com/vlibos/vlibos/rtsched"
)

// Bounds of what readings of a counter can tell.
const (
	// In less time than this, that nothing was used says nothing.
	tellsSleep = time.Millisecond
	// Nobody is looked at more often.
	minLook = 200 * time.Microsecond
	// So long a look itself and interrupts keep somebody from running.
	disturbance = 200 * time.Microsecond
)

// account is one reservation: what readings of a counter say about its server.
// Times are since any fixed moment. It touches no system.
type account struct {
	server *rtsched.Server
	budget time.Duration
	cpus   int // on so many it can use its budget at once

	foreground bool // it has budget
	asleep     bool // nobody in it wanted to run when it was last looked at
	fresh      bool // its budget is dated from when it begins to use it

	seen time.Duration // when it was last looked at

	front, back time.Duration // used on the budget, and beyond
	// Used beyond the budget in foreground, and taken from the next refill:
	// it is front when that comes.
	pending time.Duration
}

func newAccount(t rtsched.Task, cpus int, now time.Duration) account {
	return account{
		server: rtsched.NewServer(t.Budget, t.Period, now), budget: t.Budget, cpus: max(cpus, 1),
		foreground: true, fresh: true, seen: now,
	}
}

func (a *account) change(t rtsched.Task, cpus int, now time.Duration) {
	a.server.Change(t.Budget, t.Period, now)
	a.budget, a.cpus = t.Budget, max(cpus, 1)
}

// look charges what was used since the last look. Others is what the other
// domains used meanwhile: who may have waited for that is not taken for asleep.
// Contended says that one of them may have had as good a claim to the CPU: only
// for that a budget may be put off and then be used close to the next.
func (a *account) look(now, used, others time.Duration, contended bool) {
	elapsed := now - a.seen
	switch {
	case !a.foreground:
		// Whether it slept or waited cannot be told: it waits for anybody.
		a.back += used
	case used == 0:
		if elapsed < tellsSleep {
			return
		}
		a.asleep = a.asleep || others < elapsed/2
		a.fresh = a.fresh || !contended
	default:
		idle := elapsed - used
		if contended {
			idle -= others
		}
		if a.asleep || a.fresh || idle > disturbance {
			// Of the moments at which it can have begun the last is
			// the one that gives it nothing to which it has no claim.
			// That holds also for who got budget and first had to
			// make up for its last slice of background time.
			a.server.Wake(max(a.seen, now-used/time.Duration(a.cpus)))
		}
		a.asleep, a.fresh = false, false
		a.charge(used, now)
	}
	a.seen = now
	had := a.foreground
	a.foreground = a.server.Left(now) > 0
	a.fresh = a.foreground && (a.fresh || !had)
	a.asleep = a.asleep && a.foreground
	if a.foreground {
		a.front += a.pending
		a.pending = 0
	}
}

// charge takes an overrun from the next refill. Whole budgets of it put all
// refills off, and were background that nobody else may have had to spare.
func (a *account) charge(used, now time.Duration) {
	paid := min(used, a.server.Left(now))
	over := used - paid
	a.server.Charge(used)
	a.front += paid
	a.pending += over % a.budget
	a.back += over - over%a.budget
}

// bite is how long a domain with budget can be left alone.
func (a *account) bite(now time.Duration) time.Duration {
	return max(a.server.Left(now)/time.Duration(a.cpus), minLook)
}
