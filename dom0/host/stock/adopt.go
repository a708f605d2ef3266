// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/internal/clock"
)

// keeping keeps domains. Its methods are for the keeper's thread.
type keeping struct {
	*keeper.Keeper
	xen    hypervisor
	ledger *ledger
	spare  spare
}

func newKeeping(x hypervisor, l *ledger, guard []string) *keeping {
	k := &keeping{xen: x, ledger: l, spare: spare{due: keeper.Never}}
	k.Keeper = keeper.New(keeper.Options{Guard: guard, Renewed: k.renewed, Also: k.also})
	return k
}

func (k *keeping) adopt(domid uint16, r host.Reservation) error {
	for _, e := range slices.Collect(k.Entries()) {
		if e.ID == r.ID || k.of(e).entry.domid == uint32(domid) {
			k.Look(e) // drops it if this is another domain of that number
		}
	}
	for e := range k.Entries() {
		switch d := k.of(e); {
		case e.ID == r.ID && d.entry.domid == uint32(domid):
			d.account.Change(r.Whole(), clock.Monotonic())
			d.stale = true
			k.moved(e, r.Domain.CPUs, r.Class == host.Critical)
			k.Look(e)
			return e.Err()
		case e.ID == r.ID || d.entry.domid == uint32(domid):
			return fmt.Errorf("domain %d runs on reservation %d, release it from that first: %w", d.entry.domid, e.ID, host.ErrNotAllowed)
		}
	}
	_ = k.Realtime() // Notes say it
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
	d := &domain{
		keeping: k, account: keeper.NewAccount(r.Whole(), now), entry: e, on: r.Domain.CPUs, critical: r.Class == host.Critical,
		total: info.CPUTime, read: now,
	}
	return k.Add(r.ID, d, d.account)
}

// of returns the domain of an entry: stock hosts keep nothing else.
func (k *keeping) of(e *keeper.Entry) *domain { return e.Subject.(*domain) }

func (k *keeping) usage(domid uint16, id uint32) (host.Usage, error) {
	e := k.Entry(id)
	if e != nil {
		k.Look(e) // may drop it
		e = k.Entry(id)
	}
	if e == nil || k.of(e).entry.domid != uint32(domid) {
		if info, err := k.xen.DomainInfo(domid); err == nil && k.ledger.has(info, id) {
			return host.Usage{}, fmt.Errorf("domain %d is on reservation %d by an earlier master", domid, id)
		}
		return host.Usage{}, fmt.Errorf("domain %d: %w on reservation %d", domid, host.ErrNoDomain, id)
	}
	now := clock.Monotonic()
	u := e.Usage(now)
	u.Throttled = k.of(e).throttled.total(now)
	u.Beside = slices.Clone(k.of(e).helpers.all)
	return u, e.Err()
}

// renewed reads the facts of the host again on which decisions depend, and
// undoes the changes of earlier processes to domains that are not adopted.
func (k *keeping) renewed(time.Duration, bool) error {
	for _, e := range slices.Collect(k.Entries()) {
		k.of(e).stale = true
		k.Look(e)
	}
	return k.sweep()
}

func (k *keeping) sweep() error {
	used := make(map[*entry]bool)
	for e := range k.Entries() {
		used[k.of(e).entry] = true
	}
	var errs []error
	for i := range k.ledger.entries {
		if e := &k.ledger.entries[i]; e.used.Load() != 0 && !used[e] {
			errs = append(errs, e.giveBack(k.xen, true, true))
		}
	}
	return errors.Join(errs...)
}
