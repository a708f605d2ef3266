// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/dom0/host/threads"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// threadAccount is a reservation of threads whose account is in the module. It
// implements [keeper.Subject] and [keeper.Account].
type threadAccount struct {
	*threads.Threads
	p    *Host
	r    host.Reservation
	wide int // CPUs of the callee that has most

	own  time.Duration // used by the threads beyond the budget
	last vlib.Reservation
}

// openAccount makes the reservation, or finds the one that it resumes.
func (p *Host) openAccount(t *threads.Threads, r host.Reservation) (*threadAccount, error) {
	a := &threadAccount{Threads: t, p: p, r: r}
	_, err := p.m.Reservation(r.ID)
	switch {
	case err == nil && !r.Resume:
		// The number is the master's, and the master does not know it: a dead
		// one's.
		err = p.m.Unreserve(r.ID)
	case errors.Is(err, vlib.ErrNoReservation):
		err = nil
	}
	if err != nil {
		return nil, err
	}
	if err := a.change(r); err != nil {
		return nil, errors.Join(err, p.end(r))
	}
	return a, nil
}

// change gives it budget, period and callees.
func (a *threadAccount) change(r host.Reservation) error {
	a.r, a.wide = r, 0
	for _, c := range r.Callees {
		a.wide = max(a.wide, len(c.CPUs))
	}
	return a.p.reserve(r)
}

// fineness is the number of looks in a budget that threads and callees use in
// turn. The module takes a charge to be the last time used without a pause, so
// its refill is late by the time that callees used in between.
const fineness = 10

// Read implements [keeper.Subject]. The module accounts for callees by itself.
func (a *threadAccount) Read() (keeper.Reading, error) {
	r, err := a.Threads.Read()
	r.CPUs += a.wide
	return r, err
}

// Charge implements [keeper.Account].
func (a *threadAccount) Charge(r keeper.Reading) (s keeper.State, err error) {
	a.own += r.Back
	for r.Used > 0 { // the module takes no more than a period at once
		part := min(r.Used, a.r.Period)
		if err := a.p.m.Charge(a.r.ID, part); err != nil {
			return s, err
		}
		r.Used -= part
	}
	if a.last, err = a.p.m.Reservation(a.r.ID); err != nil {
		return s, err
	}
	return keeper.State{Foreground: a.last.Left > 0, Left: a.last.Left, Next: a.last.Next}, nil
}

// Usage implements [keeper.Account].
func (a *threadAccount) Usage(time.Duration) host.Usage {
	u := usage(a.last)
	u.Background += a.own
	return u
}

// Apply implements [keeper.Subject].
func (a *threadAccount) Apply(s keeper.State, reapply bool) (time.Duration, error) {
	within, err := a.Threads.Apply(s, reapply)
	if a.wide > 0 && s.Foreground {
		within = min(within, a.last.Budget/fineness)
	}
	return within, err
}

// Restore implements [keeper.Subject].
func (a *threadAccount) Restore() error { return errors.Join(a.p.end(a.r), a.Threads.Restore()) }
