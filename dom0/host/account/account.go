// SPDX-License-Identifier: Apache-2.0

package account

import (
	"time"

	"github.com/vlibos/vlibos/rtsched"
)

// Bounds of what readings of a counter can tell.
const (
	// In less time than this, that nothing was used says nothing.
	tellsSleep = time.Millisecond
	// MinLook is the least time between two looks at somebody.
	MinLook = 200 * time.Microsecond
	// So long a look itself and interrupts keep somebody from running.
	disturbance = 200 * time.Microsecond
)

// Account is one reservation: what readings of a counter say about its server.
// Times are since any fixed moment. What is exported is for reading.
type Account struct {
	Server *rtsched.Server
	budget time.Duration
	cpus   int // on so many it can use its budget at once

	Foreground bool // it has budget
	Asleep     bool // nobody in it wanted to run when it was last looked at
	fresh      bool // its budget is dated from when it begins to use it

	Seen time.Duration // when it was last looked at

	Front, Back time.Duration // used on the budget, and beyond
	// Used beyond the budget in foreground, and taken from the next refill:
	// it is Front when that comes.
	pending time.Duration
}

// Reading is what was found at a look.
type Reading struct {
	Now  time.Duration
	Used time.Duration // since the last look
	// Others is what others used meanwhile: who may have waited for that is
	// not taken for asleep.
	Others time.Duration
	// Contended says that one of them may have had as good a claim to the
	// CPU: only for that a budget may be put off and then be used close to
	// the next.
	Contended bool
	// Waiting says that somebody in it is known to want to run now.
	Waiting bool
	// Awake says that somebody in it wanted to run at the last look, and does
	// now: it is not thought to have slept for half of the time and then to
	// have run on two CPUs at once.
	Awake bool
}

// New returns an account that has its whole budget now, on that many CPUs.
func New(t rtsched.Task, cpus int, now time.Duration) Account {
	return Account{
		Server: rtsched.NewServer(t.Budget, t.Period, now), budget: t.Budget, cpus: max(cpus, 1),
		Foreground: true, fresh: true, Seen: now,
	}
}

// Change changes budget, period and the number of CPUs.
func (a *Account) Change(t rtsched.Task, cpus int, now time.Duration) {
	a.Server.Change(t.Budget, t.Period, now)
	a.budget = t.Budget
	a.On(cpus)
}

// On changes the number of CPUs.
func (a *Account) On(cpus int) { a.cpus = max(cpus, 1) }

// Look charges what was used since the last look.
func (a *Account) Look(r Reading) {
	elapsed := r.Now - a.Seen
	switch {
	case !a.Foreground:
		// Whether it slept or waited cannot be told: it waits for anybody.
		a.Back += r.Used
	case r.Used == 0:
		if elapsed < tellsSleep {
			return
		}
		a.Asleep = a.Asleep || r.Others < elapsed/2
		a.fresh = a.fresh || !r.Contended
	default:
		idle := elapsed - r.Used
		if r.Contended {
			idle -= r.Others
		}
		if a.Asleep || a.fresh || idle > disturbance {
			// Of the moments at which it can have begun the last is
			// the one that gives it nothing to which it has no claim.
			// That holds also for who got budget and first had to
			// make up for its last slice of background time.
			at := a.cpus
			if r.Awake {
				at = 1
			}
			a.Server.Wake(max(a.Seen, r.Now-r.Used/time.Duration(at)))
		}
		a.Asleep, a.fresh = false, false
		a.charge(r.Used, r.Now)
	}
	a.Seen = r.Now
	had := a.Foreground
	a.Foreground = a.Server.Left(r.Now) > 0
	a.fresh = a.Foreground && (a.fresh || !had)
	a.Asleep = a.Asleep && a.Foreground
	if r.Waiting && (a.Asleep || a.fresh) {
		// It has begun. Who waited for its budget has since that came.
		if a.Asleep || had {
			a.Server.Wake(r.Now)
		}
		a.Asleep, a.fresh = false, false
	}
	if a.Foreground {
		a.Front += a.pending
		a.pending = 0
	}
}

// charge takes an overrun from the next refill. Whole budgets of it put all
// refills off, and were background that nobody else may have had to spare.
func (a *Account) charge(used, now time.Duration) {
	paid := min(used, a.Server.Left(now))
	over := used - paid
	a.Server.Charge(used)
	a.Front += paid
	a.pending += over % a.budget
	a.Back += over - over%a.budget
}

// Bite is how long a domain with budget can be left alone.
func (a *Account) Bite(now time.Duration) time.Duration {
	return max(a.Server.Left(now)/time.Duration(a.cpus), MinLook)
}

// Pending is what was used beyond the budget in foreground, and is to be taken
// from the next refill.
func (a *Account) Pending() time.Duration { return a.pending }
