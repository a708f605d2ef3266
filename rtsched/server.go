// SPDX-License-Identifier: Apache-2.0

package rtsched

import (
	"fmt"
	"math"
	"math/bits"
	"time"
)

// refills is the largest number of refills of a server: the module's
// VLIB_REFILLS.
const refills = 32

// never is a time that does not come: 292 years.
const never = time.Duration(math.MaxInt64)

type refill struct {
	at, amount time.Duration
}

// Server is a sporadic server: a budget C every period T, kept as a list of
// refills. Each refill is a part of C with the time from which it may be used;
// the used part comes back one period after that time. So no window of length T
// sees more than C, but for use that others had delayed, and a server that is
// always ready gets C in every T. An overrun is subtracted from refills that
// are still to come.
//
// The user calls Wake when the server becomes ready after a pause, lets it run
// while Left is more than 0, charges the use, and decides again at Next. Times
// count from a moment that the user chooses, and do not go back. A Server is
// not safe for concurrent use; a copy is a server of its own.
//
// Invariants: 1 to 32 refills, sorted by time; each amount is more than 0; the
// amounts add up to C.
type Server struct {
	budget, period time.Duration
	head, count    int
	refill         [refills]refill // a ring
}

// NewServer returns a server whose whole budget may be used from now on. It
// panics if the budget is not more than 0, or more than MaxServers periods, as
// if that many servers were one; Task.Validate excludes that.
func NewServer(budget, period, now time.Duration) *Server {
	s := new(Server)
	check(budget, period)
	s.init(budget, period, now)
	return s
}

// Change changes C and T. It gives no used budget back. Until all of the old C
// is available, the new C is available when the old would have been, or a new
// period from now, whichever is first. The amount by which C grows is available
// a new period from now. Change panics as NewServer does.
func (s *Server) Change(budget, period, now time.Duration) {
	check(budget, period)
	full, more := s.nth(s.count-1).at, budget-s.budget
	if full <= now {
		s.init(budget, period, now)
		return
	}
	next := later(now, period)
	if more <= 0 {
		s.init(budget, period, min(full, next))
		return
	}
	s.init(s.budget, period, min(full, next))
	s.budget = budget
	s.push(next, more)
}

// Wake reports that the server is ready again after a pause, or on another CPU.
// Refills that are due become one refill as of now, so that no budget is saved
// for a burst.
func (s *Server) Wake(now time.Duration) {
	first := *s.nth(0)
	if first.at >= now {
		return
	}
	first.at = now
	for s.count > 1 && s.nth(1).at <= now {
		s.pop()
		first.amount += s.nth(0).amount
	}
	*s.nth(0) = first
}

// Charge subtracts used budget. Use beyond the available budget is subtracted
// from refills that are still to come. Refills more than 292 years away are all
// at the same time. A negative use is not charged.
func (s *Server) Charge(used time.Duration) {
	// Each whole budget used delays every refill by one period.
	if used >= s.budget {
		periods := used / s.budget
		off := times(periods, s.period)
		for i := range s.count {
			r := s.nth(i)
			r.at = later(r.at, off)
		}
		used -= periods * s.budget
	}
	for used > 0 {
		first := s.nth(0)
		part, at := min(used, first.amount), later(first.at, s.period)
		used -= part
		if part == first.amount {
			s.pop()
		} else {
			first.amount -= part
		}
		s.push(at, part)
	}
}

// Left is the budget that may be used now; 0 if it is depleted.
func (s *Server) Left(now time.Duration) time.Duration {
	var left time.Duration
	for i := range s.count {
		r := s.nth(i)
		if r.at > now {
			break
		}
		left += r.amount
	}
	return left
}

// Next is the time from which the first refill may be used: in the past if
// there is budget.
func (s *Server) Next() time.Duration {
	return s.nth(0).at
}

func check(budget, period time.Duration) {
	if budget <= 0 || budget > MaxServers*period {
		panic(fmt.Sprintf("rtsched: a server of %v every %v: the budget must be more than 0 and at most %d periods", budget, period, MaxServers))
	}
}

func (s *Server) init(budget, period, now time.Duration) {
	s.budget, s.period = budget, period
	s.head, s.count = 0, 0
	s.push(now, budget)
}

func (s *Server) nth(n int) *refill {
	return &s.refill[(s.head+n)%refills]
}

func (s *Server) pop() {
	s.head = (s.head + 1) % refills
	s.count--
}

// push appends a refill, or adds to the last one if that is at the same time.
func (s *Server) push(at, amount time.Duration) {
	if s.count > 0 {
		last := s.nth(s.count - 1)
		at = max(at, last.at)
		if last.at == at {
			last.amount += amount
			return
		}
		if s.count == refills {
			s.makeRoom(at, amount)
			return
		}
	}
	s.count++
	*s.nth(s.count - 1) = refill{at: at, amount: amount}
}

// makeRoom appends a refill to a full list. Of two neighbours the earlier joins
// the later one. This can only make the server slower; it does so least with
// the pair whose sum is smallest. The first is left alone, as it may be in use.
func (s *Server) makeRoom(at, amount time.Duration) {
	last := s.nth(refills - 1)
	later, least := refills, last.amount+amount
	for i := refills - 1; i > 1; i-- {
		if sum := s.nth(i-1).amount + s.nth(i).amount; sum <= least {
			later, least = i, sum
		}
	}
	if later < refills {
		s.nth(later).amount += s.nth(later - 1).amount
		for i := later; i < refills; i++ {
			*s.nth(i - 1) = *s.nth(i)
		}
		last.amount = 0
	}
	last.at = at
	last.amount += amount
}

// later is at + by, for by of at least 0, or never.
func later(at, by time.Duration) time.Duration {
	if at > never-by {
		return never
	}
	return at + by
}

// times is n periods, or never.
func times(n, period time.Duration) time.Duration {
	high, low := bits.Mul64(uint64(n), uint64(period))
	if high != 0 || low > uint64(never) {
		return never
	}
	return time.Duration(low)
}
