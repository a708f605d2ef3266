// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/internal/clock"
)

// presence is how long a domain that sleeps is left alone: it is looked at
// after that time, or twice that.
const presence = time.Second

// Domains that sleep are looked at so many at once, and so many times in each
// presence: few domains wake the keeper seldom, and many do not delay it.
const (
	together = 64
	rounds   = 16
)

// rest is how long a domain that sleeps is left alone.
func (d *adopted) rest(now time.Duration) time.Duration {
	round := time.Duration(d.id/together%rounds) * (presence / rounds)
	return (now - round + 2*presence).Truncate(presence) + round - now
}

// adopted is a domain that runs on a reservation. It implements [keeper.Subject] and [keeper.Account].
type adopted struct {
	*keeper.SporadicAccount
	k      *keeping
	name   string
	id     uint32
	period time.Duration
	group  *group
	on     []int // its CPUs
	spared bool  // the throttle does not stop it

	total  time.Duration // reading up to which it is charged
	raw    time.Duration // last reading
	parent time.Duration // the parent's reading at the last look
	used   time.Duration // at the last look
	awake  bool          // it wanted to run at the last look

	foreground, asleep bool
	throttled          pause // how the throttle has stopped it
	gated              bool  // its gate is closed, as far as this process closed it
}

// adopt puts a domain on a reservation, or changes the one that it has.
func (p *Host) adopt(ctx context.Context, r host.Reservation) error {
	name := r.Domain.ID
	if err := p.exists(name); err != nil {
		return err
	}
	cpus, err := p.cpusOf(name)
	if err != nil {
		return fmt.Errorf("domain %q: %w", name, explain(err))
	}
	g, err := openGroup(p.layout, name)
	if err != nil {
		return fmt.Errorf("domain %q: %w", name, err)
	}
	if failed := p.k.Do(ctx, func() { err = p.k.adopt(name, g, cpus, r) }); failed != nil {
		err = errors.Join(failed, g.close())
	}
	if err != nil {
		return fmt.Errorf("domain %q: %w", name, explain(err))
	}
	return nil
}

// adopt puts the domain of a group on a reservation.
func (k *keeping) adopt(name string, g *group, cpus []int, r host.Reservation) error {
	for _, e := range []*keeper.Entry{k.Entry(r.ID), k.entryOf(name)} {
		if e != nil && k.Entry(e.ID) == e {
			k.Look(e) // drops it if this is another cgroup of that name
		}
	}
	d := k.adopted[name]
	if d == nil {
		return k.begin(name, g, cpus, r)
	}
	if err := g.close(); err != nil {
		return err
	}
	if d.id != r.ID {
		return fmt.Errorf("it runs on reservation %d, release it from that first: %w", d.id, host.ErrNotAllowed)
	}
	d.Change(r.Whole(), clock.Monotonic())
	d.period, d.spared = r.Period, r.Class == host.Critical
	k.move(d, cpus)
	e := k.Entry(d.id)
	e.Reapply() // its priority may be different
	k.Look(e)
	if k.watch.sleepers[d] {
		k.sleep(d, clock.Monotonic()) // its budget has changed
	}
	return e.Err()
}

// begin starts to keep a domain. The time it has used before is not charged.
func (k *keeping) begin(name string, g *group, cpus []int, r host.Reservation) error {
	if k.Realtime() != nil { // Notes say it
		k.byPriority = false
	}
	d := &adopted{
		SporadicAccount: keeper.NewAccount(r.Whole(), clock.Monotonic()), k: k, name: name, id: r.ID, period: r.Period,
		group: g, on: cpus, spared: r.Class == host.Critical,
	}
	var err error
	if d.total, err = g.usage(); err == nil {
		d.parent, err = k.parent.usage()
	}
	if err != nil {
		return errors.Join(err, g.close())
	}
	k.adopted[name] = d
	k.watch.begin(d, d.total)
	if err := k.weighParent(); err != nil {
		return errors.Join(err, d.Restore(), g.close())
	}
	if err := k.Add(r.ID, d, d); err != nil {
		if k.adopted[name] == d { // the reservation is another domain's: d is as it was
			delete(k.adopted, name)
			k.forget(d)
		}
		return errors.Join(err, k.weighParent())
	}
	return nil
}

// entryOf returns the adopted domain's entry; nil if it is not adopted.
func (k *keeping) entryOf(name string) *keeper.Entry {
	if d := k.adopted[name]; d != nil {
		return k.Entry(d.id)
	}
	return nil
}

// release ends the reservation on which a domain runs, if there is one.
func (p *Host) release(ctx context.Context, name string) (err error) {
	failed := p.k.Do(ctx, func() {
		if e := p.k.entryOf(name); e != nil {
			err = p.k.Drop(e)
		}
	})
	if err = errors.Join(failed, err); err != nil {
		return fmt.Errorf("releasing domain %q: %w", name, explain(err))
	}
	return nil
}

// Read implements [keeper.Subject].
func (d *adopted) Read() (keeper.Reading, error) {
	r, err := d.read()
	return r, absent(err)
}

func (d *adopted) read() (r keeper.Reading, err error) {
	total, err := d.group.usage()
	if err != nil {
		return r, err
	}
	// The kernel counts a running thread up to the last tick, and exactly once
	// it is preempted. A domain that slept and still sleeps needs no such
	// visit.
	awake := false
	if total != d.total || !d.asleep {
		awake = d.group.members.runnable()
		d.k.Visit(d.on)
		if total, err = d.group.usage(); err != nil {
			return r, err
		}
	}
	parent, err := d.k.parent.usage()
	if err != nil {
		return r, err
	}
	now := clock.Monotonic()
	d.used = max(total-d.total, 0)
	r = keeper.Reading{
		Now: now, Used: d.used, Others: max(parent-d.parent-d.used, 0), Contended: d.contended(), Awake: awake && d.awake,
		Disturbed: keeper.Disturbance, CPUs: len(d.on),
		// The watch notices a sleeping domain that runs. Sleepers are looked at
		// from time to time to find those that are gone.
		Rest: d.rest(now),
	}
	d.count(total)
	d.total, d.awake, d.parent = total, awake, parent
	return r, nil
}

// contended reports whether another domain with budget may be where d is.
func (d *adopted) contended() bool {
	for o := range d.k.watch.awake {
		if o != d && o.foreground && slices.ContainsFunc(o.on, func(c int) bool { return slices.Contains(d.on, c) }) {
			return true
		}
	}
	return false
}

// Apply implements [keeper.Subject].
func (d *adopted) Apply(s keeper.State, reapply bool) (within time.Duration, err error) {
	if s.Foreground && !s.Asleep && (!d.foreground || d.used == 0 && (d.awake || s.Unsure)) {
		// A cgroup that has become heavier is picked at the next tick, or when
		// the keeper has run on its CPU once more.
		within = keeper.MinLook
	}
	d.foreground, d.asleep = s.Foreground, s.Foreground && s.Asleep
	if reapply {
		if err := d.k.raise(d.group, d.period, s.Foreground); err != nil {
			return 0, absent(err)
		}
		if err := d.pause(); err != nil {
			return 0, absent(err)
		}
	}
	if !d.asleep {
		d.k.wake(d)
	} else if !d.k.watch.sleepers[d] {
		d.k.sleep(d, clock.Monotonic())
	}
	return within, nil
}

// Usage implements [keeper.Account].
func (d *adopted) Usage(now time.Duration) host.Usage {
	u := d.SporadicAccount.Usage(now)
	u.Throttled = d.throttled.total(now)
	return u
}

// bite is how long a domain that sleeps can be left alone with its budget, or longer by a
// hundredth of its period, which it pays back: domains with little are many.
func (d *adopted) bite(now time.Duration) time.Duration {
	return max(d.SporadicAccount.Usage(now).Left/time.Duration(max(len(d.on), 1)), d.period/100, minWatch)
}

// Restore implements [keeper.Subject].
func (d *adopted) Restore() error {
	if err := errors.Join(gone(d.setPaused(false)), d.k.lower(d.group)); err != nil {
		return err
	}
	delete(d.k.adopted, d.name)
	d.k.forget(d)
	return d.k.weighParent()
}

// Close implements [keeper.Subject].
func (d *adopted) Close(left bool) error {
	var err error
	if left {
		err = gone(d.k.raise(d.group, d.period, false))
	}
	return errors.Join(err, d.group.close())
}

// move records that a domain is on other CPUs.
func (k *keeping) move(d *adopted, cpus []int) {
	d.on = cpus
	if k.watch.sleepers[d] {
		k.watch.add(d, clock.Monotonic())
	}
	k.Moved(k.Entry(d.id))
}

// absent turns the error of a cgroup that is gone into the keeper's.
func absent(err error) error {
	if cgroup.Gone(err) {
		return fmt.Errorf("%w: %w", keeper.ErrGone, err)
	}
	return err
}
