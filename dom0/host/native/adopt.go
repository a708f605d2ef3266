// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/account"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/rtsched"
)

// Adopt implements host.Host.
func (p *Host) Adopt(ctx context.Context, d host.Domain, r rtsched.Task) error {
	if d.Control {
		return fmt.Errorf("domain %q: adopting a control domain: %w", d.ID, host.ErrNotAllowed)
	}
	if err := r.Validate(); err != nil {
		return err
	}
	if err := p.exists(d.ID); err != nil {
		return err
	}
	switch called, err := p.called(ctx, d.ID); {
	case err != nil:
		return err
	case called:
		return fmt.Errorf("domain %q: %w: threads on reservations call it, or rules, and pay for it: see 'vlibmaster ps'", d.ID, host.ErrNotAllowed)
	}
	cpus, err := p.cpusOf(d.ID)
	if err != nil {
		return fmt.Errorf("domain %q: %w", d.ID, explain(err))
	}
	g, err := openGroup(p.layout, d.ID)
	if err != nil {
		return fmt.Errorf("domain %q: %w", d.ID, err)
	}
	var taken bool
	failed := p.keeper.Do(ctx, func() { taken, err = p.keeper.adopt(d.ID, g, cpus, r) })
	if failed != nil {
		err = failed
	}
	if !taken {
		err = errors.Join(err, g.close())
	}
	if err != nil {
		return fmt.Errorf("domain %q: %w", d.ID, explain(err))
	}
	return nil
}

// adopt reports whether it has taken g.
func (k *keeper) adopt(name string, g *group, cpus []int, r rtsched.Task) (bool, error) {
	if old := k.kept[name]; old != nil {
		k.look(old) // drops it if this is another cgroup of that name
	}
	d := k.kept[name]
	if d == nil {
		d = &kept{name: name, id: r.ID, period: r.Period, group: g, Account: account.New(r, len(cpus), clock.Monotonic())}
		d.setCPUs(cpus)
		err := k.add(d)
		return err == nil, err
	}
	if d.id != r.ID {
		return false, fmt.Errorf("it runs on reservation %d, release it from that first: %w", d.id, host.ErrNotAllowed)
	}
	d.Change(r, len(cpus), clock.Monotonic())
	d.period, d.unset = r.Period, true // its priority is another
	k.move(d, cpus)
	k.look(d)
	if k.watch.sleepers[d] {
		k.sleep(d, clock.Monotonic()) // its budget is another
	}
	return false, d.err
}

// Release implements host.Host.
func (p *Host) Release(ctx context.Context, d host.Domain, id uint32) error {
	return p.release(ctx, d.ID, &id)
}

// release from a reservation, or from any.
func (p *Host) release(ctx context.Context, name string, id *uint32) (err error) {
	failed := p.keeper.Do(ctx, func() {
		if d := p.keeper.kept[name]; d != nil && (id == nil || *id == d.id) {
			err = p.keeper.drop(d)
		}
	})
	if err = errors.Join(failed, err); err != nil {
		return fmt.Errorf("releasing domain %q: %w", name, explain(err))
	}
	return nil
}

// Usage implements host.Host. The overrun of a budget is in none of its
// sums until the refill comes from which it is taken.
func (p *Host) Usage(ctx context.Context, d host.Domain, id uint32) (u host.Usage, err error) {
	failed := p.keeper.Do(ctx, func() {
		var kept *kept
		if kept, err = p.keeper.find(d.ID, id); err != nil {
			return
		}
		p.keeper.look(kept)
		if _, err = p.keeper.find(d.ID, id); err != nil {
			return
		}
		now := clock.Monotonic()
		err = kept.err
		u = host.Usage{
			Foreground: kept.Front, Background: kept.Back, Throttled: kept.held.total(now),
			Left: kept.Server.Left(now), Next: max(kept.Server.Next()-now, 0),
		}
	})
	return u, errors.Join(failed, err)
}
