// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/internal/domains"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/xenctl"
)

// Can implements host.Host: an unmodified Xen charges no domain's work to another.
func (p *Host) Can() host.Abilities { return host.Abilities{} }

// Reserve implements host.Host.
func (p *Host) Reserve(ctx context.Context, r host.Reservation) error {
	if r.Domain == nil {
		return host.ErrNotHere
	}
	domid, err := domains.Number(*r.Domain)
	if err != nil {
		return err
	}
	if !p.lease.Runs() {
		// Nothing is done that would stay if this process died.
		if err := p.Renew(firstLease); err != nil && !errors.Is(err, host.ErrLease) {
			return err
		}
	}
	failed := p.keeper.Do(ctx, func() { err = p.keeper.adopt(domid, len(r.Domain.CPUs), r.Task) })
	return explain(errors.Join(failed, err))
}

// Unreserve implements host.Host. The keeper knows what runs on the reservation,
// whatever the master knows of the domain.
func (p *Host) Unreserve(ctx context.Context, r host.Reservation) (err error) {
	failed := p.keeper.Do(ctx, func() {
		if kept := p.keeper.on(r.ID); kept != nil {
			err = p.keeper.release(kept)
		}
	})
	if err = errors.Join(failed, err); err != nil {
		return fmt.Errorf("unreserve %d: %w", r.ID, err)
	}
	return nil
}

// Usage implements host.Host. The overrun of a budget is in none of its sums until
// the refill comes from which it is taken.
func (p *Host) Usage(ctx context.Context, r host.Reservation) (u host.Usage, err error) {
	if r.Domain == nil {
		return u, host.ErrNotHere
	}
	domid, err := domains.Number(*r.Domain)
	if err != nil {
		return u, err
	}
	failed := p.keeper.Do(ctx, func() { u, err = p.keeper.usage(domid, r.ID) })
	return u, errors.Join(failed, err)
}

// MemberCPUs implements host.Host.
func (p *Host) MemberCPUs(host.Members) ([]int, error) { return nil, host.ErrNotHere }

// Clear implements host.Host.
func (p *Host) Clear(context.Context, uint32) error { return host.ErrNotHere }

// Stuck implements host.Host.
func (p *Host) Stuck(context.Context, host.Domain) (bool, error) { return false, host.ErrNotHere }

// Throttle implements host.Host.
func (p *Host) Throttle(context.Context, int, time.Duration, time.Duration) error {
	return host.ErrNotHere
}

// CPUs implements host.Host.
func (p *Host) CPUs() ([]int, error) { return nil, host.ErrNotHere }

// LatencySource implements host.Host.
func (p *Host) LatencySource([]int) (throttle.Source, error) { return nil, host.ErrNotHere }

// explain says what Xen's errors are in the words of hosts.
func explain(err error) error {
	if errors.Is(err, xenctl.ErrNoDomain) {
		return fmt.Errorf("%w: %w", host.ErrNoDomain, err)
	}
	return err
}
