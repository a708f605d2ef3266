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

// adopt puts a domain on a reservation.
func (p *Host) adopt(ctx context.Context, d host.Domain, r host.Reservation) error {
	if err := p.exists(d.ID); err != nil {
		return err
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
	failed := p.keeper.Do(ctx, func() { taken, err = p.keeper.adopt(d.ID, g, cpus, r.Task, r.Class == host.Critical) })
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
func (k *keeper) adopt(name string, g *group, cpus []int, r rtsched.Task, spared bool) (bool, error) {
	if old := k.kept[name]; old != nil {
		k.look(old) // drops it if this is another cgroup of that name
	}
	d := k.kept[name]
	if d == nil {
		d = &kept{name: name, id: r.ID, period: r.Period, spared: spared, group: g, Account: account.New(r, len(cpus), clock.Monotonic())}
		d.setCPUs(cpus)
		err := k.add(d)
		return err == nil, err
	}
	if d.id != r.ID {
		return false, fmt.Errorf("it runs on reservation %d, release it from that first: %w", d.id, host.ErrNotAllowed)
	}
	d.Change(r, len(cpus), clock.Monotonic())
	d.period, d.spared, d.unset = r.Period, spared, true // its priority is another
	k.move(d, cpus)
	k.look(d)
	if k.watch.sleepers[d] {
		k.sleep(d, clock.Monotonic()) // its budget is another
	}
	return false, d.err
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

// usage of an adopted domain. The overrun of a budget is in none of its sums until
// the refill comes from which it is taken.
func (p *Host) usage(ctx context.Context, d host.Domain, id uint32) (u host.Usage, err error) {
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
