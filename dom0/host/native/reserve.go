// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/dom0/host/threads"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/throttle/uncore"
)

// Can implements host.Host. A domain that holds a reservation is no callee: one
// cgroup has one weight.
func (p *Host) Can() host.Abilities {
	return host.Abilities{Threads: true, Calls: true, Throttle: true, Start: "vlibmaster cgroup run NAME -- COMMAND"}
}

// MemberCPUs implements host.Host.
func (p *Host) MemberCPUs(m host.Members) ([]int, error) { return threads.Affinity(m) }

// Reserve implements host.Host. Callees are charged by the ledger of their
// server. For threads the server must run, in the cgroup of the domain; without
// a holder it may start later.
func (p *Host) Reserve(ctx context.Context, r host.Reservation) error {
	if r.Domain != nil {
		return p.adopt(ctx, r)
	}
	for _, c := range r.Callees {
		if err := p.exists(c.ID); err != nil {
			return err
		}
	}
	var cpus []int
	change := func(e *keeper.Entry) error {
		a, ok := e.Subject.(*caller)
		if !ok {
			return fmt.Errorf("reservation %d: %w: a domain runs on it", r.ID, host.ErrNotAllowed)
		}
		return a.change(r, cpus)
	}
	if r.Threads == nil {
		known, err := p.k.Change(ctx, r.ID, change)
		if known || err != nil {
			return err
		}
		failed := p.k.Do(ctx, func() {
			var a *caller
			if a, err = p.k.openCaller(nil, r); err == nil {
				err = p.k.Add(r.ID, a, a)
			}
		})
		return errors.Join(failed, err)
	}
	cpus, err := p.MemberCPUs(*r.Threads)
	if errors.Is(err, host.ErrNoMembers) && r.Resume {
		cpus, err = p.CPUs() // the holder's remaining CPUs
	}
	if err != nil {
		return err
	}
	return p.threads.Reserve(ctx, r, cpus, func(t *threads.Threads) (keeper.Subject, keeper.Account, error) {
		a, err := p.k.openCaller(t, r)
		return a, a, err
	}, change)
}

// Unreserve implements host.Host. When the last reservation that pays for calls
// to a domain ends, the domain gets back the settings that it had.
func (p *Host) Unreserve(ctx context.Context, r host.Reservation) error {
	if r.Domain == nil {
		return p.k.Unreserve(ctx, r.ID)
	}
	var err error
	failed := p.k.Do(ctx, func() {
		if d := p.k.adopted[r.Domain.ID]; d != nil && d.id == r.ID {
			err = p.k.Drop(p.k.Entry(r.ID))
		}
	})
	if err = errors.Join(failed, err); err != nil {
		return fmt.Errorf("releasing domain %q: %w", r.Domain.ID, explain(err))
	}
	return nil
}

// Usage implements host.Host.
func (p *Host) Usage(ctx context.Context, r host.Reservation) (u host.Usage, err error) {
	meant := keeper.Any
	if r.Domain != nil {
		meant = func(s keeper.Subject) bool { d, ok := s.(*adopted); return ok && d.name == r.Domain.ID }
	}
	u, err = p.k.Usage(ctx, r.ID, meant)
	switch {
	case r.Threads != nil:
		err = threads.Ended(err)
	case errors.Is(err, keeper.ErrGone):
		err = fmt.Errorf("%w: %w", host.ErrNoDomain, err)
	}
	return u, err
}

// Clear implements host.Host: a server ends a payment by itself, when the call
// is cancelled or its channel is closed.
func (p *Host) Clear(context.Context, uint32) error { return nil }

// Stuck implements host.Host.
func (p *Host) Stuck(context.Context, host.Domain) (bool, error) { return false, host.ErrNotHere }

// LatencySource implements host.Host: bare metal has counters, virtual machines
// have none.
func (p *Host) LatencySource(cpus []int) (throttle.Source, error) { return uncore.Open(cpus) }
