// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/xenctl"
)

const (
	// idle is the least time for which a sleeping domain is left alone.
	idle = 5 * time.Millisecond
	// heavier is how many times as heavy as Dom0 a domain with budget is. Dom0
	// keeps a twentieth of a CPU that both want: without that it could not end
	// the domain's foreground.
	heavier = 19
	// fourfold is the weight of a domain with budget under credit: four times the
	// default one. It keeps the domain's credit above 0 where all CPUs are busy,
	// and leaves Dom0 and those that mostly sleep enough to go first when they
	// wake.
	fourfold = 4 * 256
	// overtaken is within which time a domain with budget that waits for a CPU
	// under credit is put in front again.
	overtaken = 5 * time.Millisecond
)

// domain is an adopted one. It implements [keeper.Subject] and
// [keeper.Throttled].
type domain struct {
	*keeping
	account  *keeper.SporadicAccount
	entry    *entry
	on       []int // its CPUs
	critical bool

	info       xenctl.DomainInfo // as it was last read
	total      time.Duration     // CPU time up to which it is charged
	read       time.Duration     // when total was read
	waited     bool              // it wanted to run then
	foreground bool              // it has budget, as of the last Apply
	unset      bool              // its weight is not that of its state
	stale      bool              // its weights have to be decided again
	turn       turn
	resumed    time.Duration // when it was resumed last
	throttled  denial
	helpers    helpers // on its reservation; none: only the domain is
}

// Read implements [keeper.Subject].
func (d *domain) Read() (r keeper.Reading, err error) {
	info, err := d.xen.DomainInfo(uint16(d.entry.domid))
	if err == nil && !d.entry.of(info) {
		err = fmt.Errorf("%w: it is being destroyed", xenctl.ErrNoDomain)
	}
	if errors.Is(err, xenctl.ErrNoDomain) {
		err = fmt.Errorf("%w: %w", keeper.ErrGone, err)
	}
	if err != nil {
		return r, err
	}
	d.entry.saw(info)
	d.info = info
	now := clock.Monotonic()
	if d.stale || info.CPUPool != d.entry.pool {
		if err := d.settle(); err != nil {
			return r, err
		}
	}
	waiting := !info.Blocked && !info.Shutdown && !(info.Paused && d.entry.pause.Load() == none)
	r = keeper.Reading{
		Now: now, Used: max(info.CPUTime-d.total, 0), Waiting: waiting,
		CPUs: len(d.on), Disturbed: keeper.Disturbance, Rest: idle,
	}
	if waiting && d.waited {
		// Xen had others run. As far as can be told the domain did not sleep in
		// between.
		r.Others, r.Contended = now-d.read-r.Used, true
	}
	d.total, d.read, d.waited = info.CPUTime, now, waiting
	return r, d.helpers.read(&r)
}

// Apply implements [keeper.Subject].
func (d *domain) Apply(s keeper.State, reapply bool) (within time.Duration, err error) {
	if d.foreground = s.Foreground; reapply && !s.Foreground {
		d.yield()
	}
	if h := d.helpers.Threads; h != nil {
		if _, err := h.Apply(s, reapply); err != nil {
			return 0, err
		}
	}
	if reapply || d.unset {
		if err := d.entry.weigh(d.xen, d.info, s.Foreground); err != nil {
			d.stale = true // its pool may be under another scheduler
			return 0, err
		}
		d.unset = false
	}
	stopped := d.entry.pause.Load() != none
	if err := d.Pause(); err != nil || !s.Foreground || s.Asleep || d.entry.place().scheduler != xenctl.Credit {
		return 0, err
	}
	// credit serves vCPUs of one priority in turns of 30 ms, whatever they
	// weigh, and puts one that is resumed before the others.
	if !stopped && d.waits() {
		err = errors.Join(d.entry.stop(d.xen), d.entry.unpause(d.xen))
	}
	return overtaken, err
}

// waits reports whether a vCPU of the domain wanted to run at the last reading
// and did not. One that has ended meanwhile does not.
func (d *domain) waits() bool {
	if d.info.OnlineVCPUs <= 1 {
		return !d.info.Blocked && !d.info.Running && !d.info.Paused
	}
	for i := range d.info.MaxVCPUID + 1 {
		if v, err := d.xen.VCPU(d.info.ID, i); err == nil && v.Online && !v.Blocked && !v.Running {
			return true
		}
	}
	return false
}

// Restore implements [keeper.Subject].
func (d *domain) Restore() error {
	return errors.Join(d.free(), d.entry.giveBack(d.xen, true, true))
}

// Close implements [keeper.Subject]: the ledger stays for the next process. Where
// a domain is stopped without budget it runs until then, else it could miss
// budgets.
func (d *domain) Close(left bool) (err error) {
	if d.helpers.Threads != nil {
		err = d.helpers.Close(left)
	}
	if left && !d.entry.lowers() {
		err = errors.Join(err, d.entry.unpause(d.xen))
	}
	return err
}

// settle decides the domain's weights again: it may be in another pool, Dom0
// may have another weight, or an operator may have set the domain's.
func (d *domain) settle() error {
	p, err := d.place(d.info)
	if err != nil {
		return err
	}
	weight, err := d.weight(d.info, p)
	if err != nil {
		return err
	}
	d.stale = false
	old := d.entry
	was := old.place()
	if p == was {
		d.unset = d.unset || p.front != 0 && weight != old.want(d.foreground)
		return nil
	}
	if p.pool == was.pool && p.scheduler == was.scheduler && old.ours(weight) {
		weight = uint16(old.before.Load())
	}
	// Until the old entry is removed there are two, each of which undoes its
	// own.
	e, err := d.ledger.add(d.info, old.id, p, weight)
	if err != nil {
		return err
	}
	d.entry, d.unset = e, true
	d.yield()
	if err := old.unpause(d.xen); err != nil {
		return err // the old entry is swept
	}
	old.used.Store(0)
	return nil
}

// place says where a domain is, and which weight it gets there while it has
// budget.
func (k *keeping) place(info xenctl.DomainInfo) (place, error) {
	pool, err := k.xen.Pool(info.CPUPool)
	if err != nil {
		return place{}, err
	}
	p := place{info.CPUPool, pool.Scheduler, 0}
	switch p.scheduler {
	case xenctl.Credit:
		p.front = fourfold
	case xenctl.Credit2:
		p.front = 1<<16 - 1
		// If Dom0 is under another scheduler, it runs on other CPUs.
		if w, err := k.xen.Weight(0, p.scheduler); err == nil {
			p.front = uint16(min(heavier*int(w.Weight), 1<<16-1))
		}
	}
	return p, nil
}

// weight is a domain's weight at a place; 0 where there are no weights.
func (k *keeping) weight(info xenctl.DomainInfo, p place) (uint16, error) {
	if p.front == 0 {
		return 0, nil
	}
	w, err := k.xen.Weight(info.ID, p.scheduler)
	return w.Weight, err
}
