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
func (p *Host) Can() host.Abilities { return host.Abilities{DeviceModels: true, Throttle: true} }

// Reserve implements host.Host.
func (p *Host) Reserve(ctx context.Context, r host.Reservation) error {
	if r.Domain == nil {
		return host.ErrNotHere
	}
	domid, err := domains.Number(*r.Domain)
	if err != nil {
		return err
	}
	if err := p.take(); err != nil {
		return err
	}
	if err := p.keeping.Secure(ctx, r.ID, ""); err != nil {
		return err
	}
	known := false
	failed := p.keeping.Do(ctx, func() {
		known = p.keeping.Entry(r.ID) != nil
		err = p.keeping.adopt(domid, r)
	})
	if err = errors.Join(failed, err); err != nil {
		return explain(err)
	}
	if err = p.help(ctx, domid, r); err != nil && !known {
		err = errors.Join(err, p.Unreserve(ctx, r))
	}
	return explain(err)
}

// Unreserve implements host.Host. The keeper knows which domain runs on the
// reservation, whatever the master knows of the domain.
func (p *Host) Unreserve(ctx context.Context, r host.Reservation) error {
	if err := p.keeping.Unreserve(ctx, r.ID); err != nil {
		return fmt.Errorf("unreserve %d: %w", r.ID, err)
	}
	return nil
}

// Usage implements host.Host.
func (p *Host) Usage(ctx context.Context, r host.Reservation) (u host.Usage, err error) {
	if r.Domain == nil {
		return u, host.ErrNotHere
	}
	domid, err := domains.Number(*r.Domain)
	if err != nil {
		return u, err
	}
	failed := p.keeping.Do(ctx, func() { u, err = p.keeping.usage(domid, r.ID) })
	return u, errors.Join(failed, err)
}

// MemberCPUs implements host.Host: Dom0's vCPUs move, and the budget cannot be promised
// on any CPU.
func (p *Host) MemberCPUs(host.Members) ([]int, error) { return nil, host.ErrNotHere }

// Clear implements host.Host.
func (p *Host) Clear(context.Context, uint32) error { return host.ErrNotHere }

// Stuck implements host.Host.
func (p *Host) Stuck(context.Context, host.Domain) (bool, error) { return false, host.ErrNotHere }

// Throttle implements host.Host. Adopted domains are stopped by pausing them.
func (p *Host) Throttle(ctx context.Context, cpu int, period, idle time.Duration) error {
	return p.keeping.Throttle(ctx, cpu, period, idle)
}

// CPUs implements host.Host. A CPU that has never been idle is offline.
func (p *Host) CPUs() ([]int, error) {
	times, err := p.h.IdleTimes()
	var cpus []int
	for c, idle := range times {
		if idle > 0 {
			cpus = append(cpus, c)
		}
	}
	return cpus, err
}

// LatencySource implements host.Host: an unmodified Xen reads no such counters
// for Dom0.
func (p *Host) LatencySource([]int) (throttle.Source, error) {
	return nil, fmt.Errorf("%w: the hypervisor counts nothing without the module: use the source probe or requests", throttle.ErrNoSource)
}

// explain translates Xen's errors into those of hosts.
func explain(err error) error {
	if errors.Is(err, xenctl.ErrNoDomain) {
		return fmt.Errorf("%w: %w", host.ErrNoDomain, err)
	}
	return err
}
