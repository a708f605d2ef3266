// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"context"
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/account"
	"github.com/vlibos/vlibos/dom0/internal/domains"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/xenctl"
)

// With budget a domain is so many times as heavy as Dom0, which keeps a
// twentieth of a CPU that both want: without that it could not take the budget
// away again.
const heavier = 19

// Adopt implements host.Host.
func (p *Host) Adopt(ctx context.Context, d host.Domain, r rtsched.Task) error {
	if d.Control {
		return fmt.Errorf("adopting control domain %s: %w", d.ID, host.ErrNotAllowed)
	}
	if err := r.Validate(); err != nil {
		return err
	}
	domid, err := domains.Number(d)
	if err != nil {
		return err
	}
	if !p.lease.Runs() {
		// Nothing is done that would stay if this process died.
		if err := p.Renew(firstLease); err != nil && !errors.Is(err, host.ErrLease) {
			return err
		}
	}
	failed := p.keeper.Do(ctx, func() { err = p.keeper.adopt(domid, len(d.CPUs), r) })
	return explain(errors.Join(failed, err))
}

func (k *keeper) adopt(domid uint16, cpus int, r rtsched.Task) error {
	for _, d := range []*kept{k.kept[domid], k.on(r.ID)} {
		if d != nil {
			k.look(d) // forgets it if this is another domain of that number
		}
	}
	if d := k.on(r.ID); d != nil && d.entry.domid != uint32(domid) {
		return fmt.Errorf("domain %d runs on reservation %d, release it from that first: %w", d.entry.domid, r.ID, host.ErrNotAllowed)
	}
	if d := k.kept[domid]; d != nil {
		if d.id != r.ID {
			return fmt.Errorf("domain %d runs on reservation %d, release it from that first: %w", domid, d.id, host.ErrNotAllowed)
		}
		d.Change(r, cpus, clock.Monotonic())
		d.stale = true
		k.look(d)
		return d.err
	}
	k.hurry()
	info, err := k.xen.DomainInfo(domid)
	if err != nil {
		return err
	}
	p, err := k.place(info)
	if err != nil {
		return err
	}
	before, err := k.weight(info, p)
	if err != nil {
		return err
	}
	e, err := k.ledger.add(info, r.ID, p, before)
	if err != nil {
		return err
	}
	now := clock.Monotonic()
	d := &kept{Account: account.New(r, cpus, now), id: r.ID, entry: e, total: info.CPUTime, unset: true, due: now}
	k.kept[domid] = d
	k.look(d)
	if d.err != nil && k.kept[domid] == d {
		return errors.Join(d.err, k.release(d))
	}
	return d.err
}

// on is the domain that runs on a reservation; nil: none.
func (k *keeper) on(id uint32) *kept {
	for _, d := range k.kept {
		if d.id == id {
			return d
		}
	}
	return nil
}

// release gives a domain back all that it had.
func (k *keeper) release(d *kept) error {
	if err := d.entry.giveBack(k.xen, true, true); err != nil {
		return err
	}
	k.forget(d)
	return nil
}

// Release implements host.Host. What runs on the reservation is known
// here, whatever the master knows of the domain.
func (p *Host) Release(ctx context.Context, d host.Domain, id uint32) (err error) {
	failed := p.keeper.Do(ctx, func() {
		if kept := p.keeper.on(id); kept != nil {
			err = p.keeper.release(kept)
		}
	})
	if err = errors.Join(failed, err); err != nil {
		return fmt.Errorf("releasing domain %s: %w", d.ID, err)
	}
	return nil
}

// Usage implements host.Host. The overrun of a budget is in none of its
// sums until the refill comes from which it is taken.
func (p *Host) Usage(ctx context.Context, d host.Domain, id uint32) (u host.Usage, err error) {
	domid, err := domains.Number(d)
	if err != nil {
		return u, err
	}
	failed := p.keeper.Do(ctx, func() { u, err = p.keeper.usage(domid, id) })
	return u, errors.Join(failed, err)
}

func (k *keeper) usage(domid uint16, id uint32) (host.Usage, error) {
	if d := k.kept[domid]; d != nil {
		k.look(d) // may forget it
	}
	d := k.kept[domid]
	if d == nil || d.id != id {
		if info, err := k.xen.DomainInfo(domid); err == nil && k.ledger.has(info, id) {
			return host.Usage{}, fmt.Errorf("domain %d is on reservation %d by an earlier master", domid, id)
		}
		return host.Usage{}, fmt.Errorf("domain %d: %w on reservation %d", domid, host.ErrNoDomain, id)
	}
	now := clock.Monotonic()
	return host.Usage{
		Foreground: d.Front, Background: d.Back, Left: d.Server.Left(now), Next: max(d.Server.Next()-now, 0),
	}, d.err
}

func explain(err error) error {
	if errors.Is(err, xenctl.ErrNoDomain) {
		return fmt.Errorf("%w: %w", host.ErrNoDomain, err)
	}
	return err
}
