// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/account"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/rtsched"
)

// With budget a domain is so many times as heavy as Dom0, which keeps a
// twentieth of a CPU that both want: without that it could not take the budget
// away again.
const heavier = 19

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
