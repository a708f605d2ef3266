// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

const (
	// tellsSleep is the shortest time in which "nothing was used" means sleep.
	tellsSleep = time.Millisecond
	// MinLook is the shortest time between two looks at a domain.
	MinLook = 200 * time.Microsecond
	// Disturbance is the longest gap that a look and interrupts cause in the
	// run of a domain.
	Disturbance = 200 * time.Microsecond
)

// Account charges the CPU time used on a reservation. The keeper calls it in
// its thread.
type Account interface {
	// Charge charges the time used since the last reading.
	Charge(Reading) (State, error)
	// Usage is the sum of all charges.
	Usage(now time.Duration) host.Usage
}

// Reading is what a look finds. Times are CLOCK_MONOTONIC; sums are since the
// last reading.
type Reading struct {
	Now  time.Duration // when the counters were read
	Used time.Duration
	Back time.Duration // used in addition, known to be without budget

	// Others is the time that others used meanwhile: an entry that may have
	// waited for them is not taken to be asleep.
	Others time.Duration
	// Contended says that one of the others may have had as good a claim to the
	// CPU. Only then can a budget be put off and be used close to the next.
	Contended bool
	// Waiting says that some part of it is known to want to run now.
	Waiting bool
	// Awake says that it wanted to run at the last reading and does now: it is
	// not thought to have slept for half of the time and then to have run on
	// two CPUs at once.
	Awake bool
	// Disturbed is the longest gap in its run that is no sleep.
	Disturbed time.Duration

	CPUs int // number of CPUs on which it can use its budget at once; 0 is 1
	// Least is the shortest time until the next look; 0 is MinLook.
	Least time.Duration
	// Rest is the least time for which it is left alone while it sleeps with
	// budget.
	Rest time.Duration
}

// State is an account's answer to a charge.
type State struct {
	Foreground bool          // it has budget
	Asleep     bool          // no part of it wanted to run
	Unsure     bool          // the time since the last reading was too short to tell
	Left       time.Duration // of the budget
	Next       time.Duration // until the next refill
	Overrun    time.Duration // used at this reading beyond the budget there was
}

// SporadicAccount infers from readings of a counter what a reservation used on
// its budget, which is a sporadic server's.
//
// FOREGROUND is CPU time that a budget has paid for. The overrun is the time
// used beyond the budget before a look noticed. It is taken from the next
// refill, and is foreground when that comes; whole budgets of overrun are
// background, for no refill in sight pays for them. All time used without
// budget is background. So foreground + background + overrun is the CPU time
// used at any moment, no sum shrinks, and no period has more foreground than
// the budget, but for the time by which looks are late.
type SporadicAccount struct {
	server     *rtsched.Server
	budget     time.Duration
	foreground bool // it has budget, as of the last reading
	asleep     bool
	fresh      bool          // its budget is dated from when it begins to use it
	seen       time.Duration // when it was last charged
	others     time.Duration // what others have used since

	front, back time.Duration // used on the budget, and beyond
	overrun     time.Duration // used beyond the budget, and not yet paid for
}

// NewAccount returns an account that has its whole budget now.
func NewAccount(t rtsched.Task, now time.Duration) *SporadicAccount {
	return &SporadicAccount{
		server: rtsched.NewServer(t.Budget, t.Period, now), budget: t.Budget,
		foreground: true, fresh: true, seen: now,
	}
}

// Change changes budget and period. The time already used stays charged.
func (a *SporadicAccount) Change(t rtsched.Task, now time.Duration) {
	a.server.Change(t.Budget, t.Period, now)
	a.budget = t.Budget
}

// Charge implements [Account].
func (a *SporadicAccount) Charge(r Reading) (State, error) {
	elapsed, others := r.Now-a.seen, a.others+r.Others
	var over time.Duration
	a.back += r.Back
	switch {
	case !a.foreground:
		// Whether it slept or waited is unknown: it is taken to have waited for
		// all others.
		a.back += r.Used
	case r.Used == 0:
		if elapsed < tellsSleep {
			a.others = others
			return a.state(r.Now, true, 0), nil
		}
		a.asleep = a.asleep || others < elapsed/2
		a.fresh = a.fresh || !r.Contended
	default:
		idle := elapsed - r.Used
		if r.Contended {
			idle -= others
		}
		if a.asleep || a.fresh || idle > r.Disturbed {
			// Take the last possible beginning: an earlier one could
			// give budget that is not due. This holds also for a domain
			// with new budget that first had to make up for its last
			// slice of background time.
			at := max(r.CPUs, 1)
			if r.Awake {
				at = 1
			}
			a.server.Wake(max(a.seen, r.Now-r.Used/time.Duration(at)))
		}
		a.asleep, a.fresh = false, false
		over = a.charge(r.Used, r.Now)
	}
	a.seen, a.others = r.Now, 0
	had := a.foreground
	a.foreground = a.server.Left(r.Now) > 0
	a.fresh = a.foreground && (a.fresh || !had)
	a.asleep = a.asleep && a.foreground
	if r.Waiting && (a.asleep || a.fresh) {
		// It has begun. One that waited for its budget has since that came.
		if a.asleep || had {
			a.server.Wake(r.Now)
		}
		a.asleep, a.fresh = false, false
	}
	if a.foreground {
		a.front += a.overrun
		a.overrun = 0
	}
	return a.state(r.Now, false, over), nil
}

func (a *SporadicAccount) state(now time.Duration, unsure bool, over time.Duration) State {
	return State{
		Foreground: a.foreground, Asleep: a.asleep, Unsure: unsure, Overrun: over,
		Left: a.server.Left(now), Next: max(a.server.Next()-now, 0),
	}
}

// charge takes the time used beyond the budget from the next refill, and
// returns that time.
func (a *SporadicAccount) charge(used, now time.Duration) time.Duration {
	paid := min(used, a.server.Left(now))
	over := used - paid
	a.server.Charge(used)
	a.front += paid
	a.overrun += over % a.budget
	a.back += over - over%a.budget
	return over
}

// Usage implements [Account].
func (a *SporadicAccount) Usage(now time.Duration) host.Usage {
	return host.Usage{
		Foreground: a.front, Background: a.back,
		Left: a.server.Left(now), Next: max(a.server.Next()-now, 0),
	}
}

// Overrun is the time used beyond the budget in foreground that is not paid for
// yet.
func (a *SporadicAccount) Overrun() time.Duration { return a.overrun }
