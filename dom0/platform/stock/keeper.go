// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/dom0/platform"
	"github.com/vlibos/vlibos/dom0/platform/account"
	"github.com/vlibos/vlibos/dom0/platform/loop"
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
	realtime bool // the thread is
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

// info is Xen's record of the domain that is kept, not of another that has its
// number now.
func (k *keeper) info(d *kept) (xenctl.DomainInfo, error) {
	info, err := k.xen.DomainInfo(uint16(d.entry.domid))
	if err == nil && (info.Dying || !d.entry.of(info)) {
		err = fmt.Errorf("%w: it is being destroyed", xenctl.ErrNoDomain)
	}
	return info, err
}

// forget ends keeping a domain that is gone, or that has all back.
func (k *keeper) forget(d *kept) {
	delete(k.kept, uint16(d.entry.domid))
	d.entry.used.Store(0)
}

// renewed says that the lease was; lost, that it was over before.
func (k *keeper) renewed(lost bool) error {
	var errs []error
	if lost {
		errs = append(errs, platform.ErrLease)
	}
	failed := k.Do(context.Background(), func() {
		for _, d := range k.kept {
			if lost {
				d.unset = true
				k.look(d)
			}
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
