// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/xenctl"
)

// hypervisor is the part of a *xenctl.Handle that is used here.
type hypervisor interface {
	DomainInfo(domid uint16) (xenctl.DomainInfo, error)
	Pause(domid uint16) error
	Unpause(domid uint16) error
	Weight(domid uint16, s xenctl.Scheduler) (xenctl.Weight, error)
	SetWeight(domid uint16, s xenctl.Scheduler, w xenctl.Weight) error
	Pool(id uint32) (xenctl.Pool, error)
	VCPU(domid uint16, vcpu int) (xenctl.VCPU, error)
	Domains() ([]xenctl.DomainInfo, error)
	IdleTimes() ([]time.Duration, error)
}

// lowest is the weight of a domain without budget.
const lowest = 1

// lowers reports whether the lowest weight is enough to have a domain run after
// all others. It is stopped elsewhere: without weights, and under credit, which
// adds credit by weight for all CPUs together, every 30 ms, so that a domain that
// is pinned competes with few.
func (e *entry) lowers() bool { return xenctl.Scheduler(e.scheduler) == xenctl.Credit2 }

// weigh sets the weight of a domain with budget, or without. Under credit2 the
// domain is paused meanwhile: credit2 charges the time of a vCPU when it leaves
// the CPU, by the weight that it has then, and decides which vCPU runs when one
// wakes, not when a weight changes. info is as of now.
func (e *entry) weigh(x hypervisor, info xenctl.DomainInfo, foreground bool) error {
	switch weight := e.want(foreground); {
	case weight == 0:
		return nil
	case !e.lowers() || info.Paused || info.Blocked:
		return e.setWeight(x, weight)
	default:
		err := e.stop(x)
		if err == nil {
			err = e.setWeight(x, weight)
		}
		return errors.Join(err, e.unpause(x))
	}
}

// want is the weight that a domain is to have here; 0 where there are none.
func (e *entry) want(foreground bool) uint16 {
	if foreground || e.front == 0 {
		return uint16(e.front)
	}
	return lowest
}

func (e *entry) setWeight(x hypervisor, weight uint16) error {
	domid, s := uint16(e.domid), xenctl.Scheduler(e.scheduler)
	w, err := x.Weight(domid, s)
	if err != nil {
		return err
	}
	if !e.ours(w.Weight) {
		e.before.Store(uint32(w.Weight)) // an operator has set another weight
	}
	w.Weight = weight
	return x.SetWeight(domid, s, w)
}

// ours reports whether a weight is one that this package sets.
func (e *entry) ours(weight uint16) bool { return weight == lowest || uint32(weight) == e.front }

// stop pauses a domain, in addition to the pauses of others.
func (e *entry) stop(x hypervisor) error {
	if !e.pause.CompareAndSwap(none, pausing) {
		return nil // it is paused
	}
	if err := x.Pause(uint16(e.domid)); err != nil {
		e.pause.CompareAndSwap(pausing, none)
		return err
	}
	e.pause.CompareAndSwap(pausing, paused) // else the guard has undone it
	return nil
}

// unpause undoes stop, unless the guard has.
func (e *entry) unpause(x hypervisor) error {
	if !e.pause.CompareAndSwap(paused, unpausing) {
		return nil
	}
	return e.unpaused(x.Unpause(uint16(e.domid)))
}

func (e *entry) unpaused(err error) error {
	if errors.Is(err, unix.EINVAL) || errors.Is(err, xenctl.ErrNoDomain) {
		err = nil // an operator has undone more pauses than were theirs, or the domain is gone
	}
	if err == nil {
		e.pause.Store(none)
	} else {
		e.pause.Store(paused)
	}
	return err
}

// giveBack undoes all changes to a domain; forget removes the entry. It may be
// called by another process than the one that made the changes, while that is
// stopped or dead, and repeatedly.
func (e *entry) giveBack(x hypervisor, weight, forget bool) error {
	info, err := x.DomainInfo(uint16(e.domid))
	if err != nil && !errors.Is(err, xenctl.ErrNoDomain) {
		return err
	}
	if err != nil || !e.of(info) {
		if forget {
			e.used.Store(0)
		}
		return nil
	}
	var errs []error
	if weight && e.front != 0 {
		errs = append(errs, e.restore(x, info))
	}
	errs = append(errs, e.release(x, info))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if forget {
		e.used.Store(0)
	}
	return nil
}

// restore gives a domain the weight that it had. A domain that is in another
// pool now has lost all weights of this one: Xen sets the default when it
// moves.
func (e *entry) restore(x hypervisor, info xenctl.DomainInfo) error {
	domid, s := uint16(e.domid), xenctl.Scheduler(e.scheduler)
	pool, err := x.Pool(info.CPUPool)
	if err != nil || info.CPUPool != e.pool || pool.Scheduler != s {
		return err
	}
	w, err := x.Weight(domid, s)
	if err != nil || !e.ours(w.Weight) {
		return err
	}
	w.Weight = uint16(e.before.Load())
	return x.SetWeight(domid, s, w)
}

// release undoes a pause. For a step that was begun and not finished, Xen's
// flag tells whether it was done. If an operator also paused the domain in that
// moment, that pause is undone.
func (e *entry) release(x hypervisor, info xenctl.DomainInfo) error {
	state := e.pause.Load()
	if state == none || state != paused && !info.Paused {
		return nil
	}
	if !e.pause.CompareAndSwap(state, unpausing) {
		return nil // the daemon handles it
	}
	return e.unpaused(x.Unpause(uint16(e.domid)))
}
