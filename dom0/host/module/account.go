// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/threads"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// account is the account of a reservation of threads, in the module. It implements
// threads.Account.
type account struct {
	p    *Host
	r    host.Reservation
	wide int // CPUs of the callee that has most

	own  time.Duration // used by the threads beyond the budget
	last vlib.Reservation
}

var _ threads.Account = (*account)(nil)

// openAccount makes the reservation, or finds the one that it resumes.
func (p *Host) openAccount(r host.Reservation) (*account, error) {
	a := &account{p: p, r: r}
	_, err := p.m.Reservation(r.ID)
	switch {
	case err == nil && !r.Resume:
		// A number of the master's that the master does not know: a dead one's.
		err = p.m.Unreserve(r.ID)
	case errors.Is(err, vlib.ErrNoReservation):
		err = nil
	}
	if err != nil {
		return nil, err
	}
	if err := a.change(r); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// change gives it budget, period and callees.
func (a *account) change(r host.Reservation) error {
	a.r, a.wide = r, 0
	for _, c := range r.Callees {
		a.wide = max(a.wide, len(c.CPUs))
	}
	return a.p.reserve(r)
}

// fineness is how many looks there are in a budget that threads and callees use
// in turn. The module takes a charge for the last that was used without a pause,
// and so has it back late by what callees used in between.
const fineness = 10

// Charge implements threads.Account.
func (a *account) Charge(_ time.Duration, u threads.Use) (threads.State, error) {
	if !u.Foreground {
		a.own += u.Own
		u.Own = 0
	}
	for u.Own > 0 { // the module takes no more than a period at once
		part := min(u.Own, a.r.Period)
		if err := a.p.m.Charge(a.r.ID, part); err != nil {
			return threads.State{}, err
		}
		u.Own -= part
	}
	r, err := a.p.m.Reservation(a.r.ID)
	if err != nil {
		return threads.State{}, err
	}
	a.last = r
	s := threads.State{Left: r.Left, Next: r.Next, Wide: a.wide}
	if a.wide > 0 && r.Left > 0 {
		s.Look = r.Budget / fineness
	}
	return s, nil
}

// Where implements threads.Account: the module accounts for callees by itself.
func (a *account) Where() []int { return nil }

// Usage implements threads.Account.
func (a *account) Usage(time.Duration) host.Usage {
	u := usage(a.last)
	u.Background += a.own
	return u
}

// Close implements threads.Account.
func (a *account) Close() error { return a.p.end(a.r) }

// Leave implements threads.Account: the module keeps it.
func (a *account) Leave() error { return nil }
