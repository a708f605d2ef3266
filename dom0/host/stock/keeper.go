// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/account"
	"github.com/vlibos/vlibos/dom0/host/loop"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/xenctl"
)

// Of looks.
const (
	idle  = 5 * time.Millisecond   // at who sleeps, at least
	retry = 100 * time.Millisecond // after an error
)

// keeper keeps the budgets of all adopted domains, in one thread with one timer.
// All fields are that thread's; others have it run functions.
type keeper struct {
	*loop.Loop
	xen      hypervisor
	ledger   *ledger
	kept     map[uint16]*kept
	realtime bool  // the thread is
	refused  error // why it is not, though it was to be
}

// kept is an adopted domain.
type kept struct {
	account.Account
	id    uint32 // of the reservation
	entry *entry

	total   time.Duration // reading up to which it is charged
	waited  bool          // it wanted to run at the last look
	applied bool          // it has what it has in foreground
	unset   bool          // or somebody else has changed that
	stale   bool          // what is done to it has to be decided again
	err     error         // of the last look
	due     time.Duration // of the next
}

func startKeeper(x hypervisor, l *ledger) (*keeper, error) {
	k := &keeper{xen: x, ledger: l, kept: map[uint16]*kept{}}
	var err error
	k.Loop, err = loop.Start(k.step)
	return k, err
}

// step looks at all who are due.
func (k *keeper) step() time.Duration {
	next := clock.Monotonic() + time.Hour
	for _, d := range k.kept {
		if d.due <= clock.Monotonic() {
			k.look(d)
		}
		next = min(next, d.due)
	}
	return next
}

// look reads what a domain has used, charges it, and does what follows from it.
// A domain that is gone is dropped.
func (k *keeper) look(d *kept) {
	d.err = k.charge(d)
	if errors.Is(d.err, xenctl.ErrNoDomain) {
		k.forget(d)
		return
	}
	now := clock.Monotonic()
	switch {
	case d.err != nil:
		d.due = now + retry
	case d.Foreground && d.Asleep:
		d.due = now + max(d.Bite(now), idle)
	case d.Foreground:
		d.due = now + d.Bite(now)
	default:
		d.due = max(d.Server.Next(), now+account.MinLook)
	}
}

func (k *keeper) charge(d *kept) error {
	info, err := k.info(d)
	if err != nil {
		return err
	}
	now := clock.Monotonic()
	if d.stale || info.CPUPool != d.entry.pool {
		if err := k.settle(d, info); err != nil {
			return err
		}
	}
	waiting := !info.Blocked && !info.Shutdown && !(info.Paused && d.entry.pause.Load() == none)
	r := account.Reading{Now: now, Used: max(info.CPUTime-d.total, 0), Waiting: waiting}
	if waiting && d.waited {
		// Xen had others run. It had not slept in between, as far as can
		// be told.
		r.Others, r.Contended = now-d.Seen-r.Used, true
	}
	d.Look(r)
	d.total, d.waited = info.CPUTime, waiting
	if d.unset || d.Foreground != d.applied {
		if err := d.entry.foreground(k.xen, info, d.Foreground); err != nil {
			return err
		}
		d.applied, d.unset = d.Foreground, false
	}
	return nil
}

// hurry has the thread go before all else, if it does not yet and may.
func (k *keeper) hurry() {
	if !k.realtime {
		k.refused = loop.Deadline()
		k.realtime = k.refused == nil
	}
}

// info is Xen's record of the domain that is kept, not of another that has its
// number now.
func (k *keeper) info(d *kept) (xenctl.DomainInfo, error) {
	info, err := k.xen.DomainInfo(uint16(d.entry.domid))
	if err == nil && !d.entry.of(info) {
		err = fmt.Errorf("%w: it is being destroyed", xenctl.ErrNoDomain)
	}
	if err == nil {
		d.entry.saw(info)
	}
	return info, err
}

// place says where a domain is, and what it is to weigh there with budget.
func (k *keeper) place(info xenctl.DomainInfo) (place, error) {
	pool, err := k.xen.Pool(info.CPUPool)
	if err != nil {
		return place{}, err
	}
	p := place{info.CPUPool, pool.Scheduler, 0}
	if !p.scheduler.Weighs() {
		return p, nil
	}
	p.front = 1<<16 - 1
	// If Dom0 is under another scheduler, it has other CPUs.
	if w, err := k.xen.Weight(0, p.scheduler); err == nil {
		p.front = uint16(min(heavier*int(w.Weight), 1<<16-1))
	}
	return p, nil
}

// weight is what a domain weighs at a place; none where there are no weights.
func (k *keeper) weight(info xenctl.DomainInfo, p place) (uint16, error) {
	if p.front == 0 {
		return 0, nil
	}
	w, err := k.xen.Weight(info.ID, p.scheduler)
	return w.Weight, err
}

// settle decides again what is done to a domain: it may be in another pool,
// Dom0 may have another weight, or an operator may have set the domain's.
func (k *keeper) settle(d *kept, info xenctl.DomainInfo) error {
	p, err := k.place(info)
	if err != nil {
		return err
	}
	weight, err := k.weight(info, p)
	if err != nil {
		return err
	}
	d.stale = false
	old := d.entry
	was := old.place()
	if p == was {
		d.unset = d.unset || p.front != 0 && weight != old.want(d.applied)
		return nil
	}
	if p.pool == was.pool && p.scheduler == was.scheduler && old.ours(weight) {
		weight = uint16(old.before.Load())
	}
	// Until the old entry goes there are two, each of which undoes its own.
	e, err := k.ledger.add(info, old.id, p, weight)
	if err != nil {
		return err
	}
	d.entry, d.unset = e, true
	if err := old.unpause(k.xen); err != nil {
		return err // the old entry is swept
	}
	old.used.Store(0)
	return nil
}

// forget ends keeping a domain that is gone, or that has all back.
func (k *keeper) forget(d *kept) {
	delete(k.kept, uint16(d.entry.domid))
	d.entry.used.Store(0)
}

// renewed says that the lease was; lost, that it was over before. It is where the
// facts of the host are read again from which it was decided what to do.
func (k *keeper) renewed(lost bool) error {
	var errs []error
	if lost {
		errs = append(errs, host.ErrLease)
	}
	failed := k.Do(context.Background(), func() {
		if len(k.kept) > 0 {
			k.hurry()
		}
		for _, d := range k.kept {
			d.stale, d.unset = true, d.unset || lost
			k.look(d)
		}
		errs = append(errs, k.sweep())
	})
	return errors.Join(append(errs, failed)...)
}

// sweep undoes what an earlier process did to domains that are not kept.
func (k *keeper) sweep() error {
	var errs []error
	for i := range k.ledger.entries {
		e := &k.ledger.entries[i]
		if e.used.Load() == 0 {
			continue
		}
		if d := k.kept[uint16(e.domid)]; d == nil || d.entry != e {
			errs = append(errs, e.giveBack(k.xen, true, true))
		}
	}
	return errors.Join(errs...)
}
