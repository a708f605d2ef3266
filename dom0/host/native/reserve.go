// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	dom0threads "github.com/vlibos/vlibos/dom0/host/threads"
	"github.com/vlibos/vlibos/internal/clock"
)

// Can implements host.Host. A domain that holds a reservation is no callee: one
// cgroup has one weight.
func (p *Host) Can() host.Abilities {
	return host.Abilities{Threads: true, Calls: true, Throttle: true}
}

// MemberCPUs implements host.Host.
func (p *Host) MemberCPUs(m host.Members) ([]int, error) { return dom0threads.Affinity(m) }

// Reserve implements host.Host. Callees are charged by the ledger that their server
// keeps. For threads it must run, in the cgroup of the domain; without a holder it
// may come later.
func (p *Host) Reserve(ctx context.Context, r host.Reservation) error {
	if r.Domain != nil {
		return p.adopt(ctx, *r.Domain, r)
	}
	for _, c := range r.Callees {
		if err := p.exists(c.ID); err != nil {
			return err
		}
	}
	var cpus []int
	if r.Threads != nil {
		var err error
		cpus, err = p.MemberCPUs(*r.Threads)
		if errors.Is(err, host.ErrNoMembers) && r.Resume {
			cpus, err = p.CPUs() // those that are left of it
		}
		if err != nil {
			return err
		}
	}
	return p.threads.Reserve(ctx, r, cpus, func() (dom0threads.Account, error) {
		a, err := p.openPurse(r, r.Threads == nil, clock.Monotonic())
		if err != nil {
			return nil, err
		}
		return a, nil
	}, func(a dom0threads.Account) error { return a.(*purse).change(r) })
}

// change changes the account as far as it has to be.
func (a *purse) change(r host.Reservation) (err error) {
	changed := a.budget != r.Budget || a.period != r.Period
	if changed {
		a.server.Change(r.Budget, r.Period, clock.Monotonic())
		a.budget, a.period = r.Budget, r.Period
	}
	for _, d := range r.Callees {
		c := a.host.callees[d.ID]
		if c == nil || c.users[r.ID] == nil {
			return fmt.Errorf("domain %q: %w: reservation %d pays for calls to another", d.ID, host.ErrNotAllowed, r.ID)
		}
		err = errors.Join(err, c.renew(a.host.layout, d.CPUs))
		if changed && err == nil {
			err = c.raise(c.foreground) // its priority may be another
		}
	}
	return err
}

// Unreserve implements host.Host. The last reservation that pays for calls to a
// domain gives the domain what it had.
func (p *Host) Unreserve(ctx context.Context, r host.Reservation) error {
	if r.Domain != nil {
		return p.release(ctx, r.Domain.ID, &r.ID)
	}
	return p.threads.Unreserve(ctx, r.ID)
}

// Usage implements host.Host.
func (p *Host) Usage(ctx context.Context, r host.Reservation) (host.Usage, error) {
	if r.Domain != nil {
		return p.usage(ctx, *r.Domain, r.ID)
	}
	u, err := p.threads.Usage(ctx, r.ID)
	if r.Threads == nil && errors.Is(err, host.ErrNoMembers) {
		err = fmt.Errorf("reservation %d: %w that it pays for", r.ID, host.ErrNoDomain)
	}
	return u, err
}

// Clear implements host.Host: a server ends a payment by itself, when the call is
// given up or its channel goes.
func (p *Host) Clear(context.Context, uint32) error { return nil }

// Stuck implements host.Host.
func (p *Host) Stuck(context.Context, host.Domain) (bool, error) { return false, host.ErrNotHere }

// renewCallees lets those pay who may for as long as the lease.
func (p *Host) renewCallees(d time.Duration) error {
	return p.threads.Do(context.Background(), func() {
		for _, c := range p.callees {
			c.lease = d
			if c.book != nil {
				_ = c.book.Renew(d) // if the file is gone, the next look finds out
			}
		}
	})
}

// reapplyCallees sets the weights of callees anew, after somebody else has.
func (p *Host) reapplyCallees() error {
	return p.threads.Do(context.Background(), func() {
		for _, c := range p.callees {
			_ = c.raise(c.foreground) // who is gone has no weight
		}
	})
}
