// SPDX-License-Identifier: Apache-2.0

package threads

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/loop"
	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/rtsched"
)

const (
	// minLook is how often at most a reservation is looked at.
	minLook = 50 * time.Microsecond
	// presence is how often at least: whether its members are there, and are
	// what they were made.
	presence = time.Second
)

// kept is a reservation.
type kept struct {
	id      uint32
	members host.Members
	period  time.Duration
	cpus    []int // of members, by this system's numbers
	who     members
	account Account

	used    time.Duration // reading up to which it is charged
	prio    int           // of its period
	policy  int           // that its threads are to have
	has     map[int]int   // the policy that each was given
	had     policies      // before any was
	renewed time.Duration // when all were given theirs
	beside  time.Duration // what all others had used at the last look
	err     error         // of the last look

	due time.Duration // of the next look
}

func (k *Keeper) add(r host.Reservation, m members, cpus []int, open func() (Account, error)) error {
	if k.kept[r.ID] != nil {
		return errors.Join(fmt.Errorf("reservation %d is there already", r.ID), m.release())
	}
	if len(k.kept) == 0 && !k.thread.Realtime {
		k.thread.Start()
	}
	d := &kept{id: r.ID, period: r.Period, prio: rtsched.Priority(r.Period, loop.Levels), cpus: cpus, who: m, has: make(map[int]int)}
	if r.Threads != nil {
		d.members = *r.Threads
	}
	if !r.Resume {
		d.had = policiesOf(m)
	}
	var err error
	if !k.thread.Realtime {
		err = fmt.Errorf("threads on reservations: %w: the keeper cannot be a real-time thread: run as root, or with CAP_SYS_NICE, and where cpu.rt_runtime_us of its cgroup is not 0", host.ErrNotAllowed)
	}
	if err == nil {
		k.thread.Visit(cpus)
		d.used, err = m.usage()
	}
	if err == nil {
		d.account, err = open()
	}
	if err != nil {
		pardon(m, d.had) // an earlier keeper may have been here
		return errors.Join(err, m.release())
	}
	k.kept[r.ID] = d
	k.look(d)
	if err := d.err; err != nil {
		if k.kept[r.ID] == d {
			err = errors.Join(err, k.drop(d))
		}
		return err
	}
	return nil
}

// forCalls says that the reservation has no threads.
func (d *kept) forCalls() bool { return d.who == nobody{} }

// drop ends a reservation: its members are what they were.
func (k *Keeper) drop(d *kept) error {
	delete(k.kept, d.id)
	pardon(d.who, d.had)
	err := errors.Join(d.account.Close(), d.who.release())
	return err
}

// pardon makes members what they were: ordinary, but those that were not.
func pardon(m members, had policies) {
	all, _ := m.threads() // if they cannot be listed, they have ended
	for _, tid := range all {
		if !ours(tid) {
			continue
		}
		// It may have ended. What the kernel does not allow again, such as a
		// deadline, is ordinary.
		if attr := had[tid]; attr == nil || unix.SchedSetAttr(tid, attr, 0) != nil {
			_ = setPolicy(tid, ordinary)
		}
	}
}

// look charges what was used, and does what follows from it. A reservation
// whose members have ended is dropped.
func (k *Keeper) look(d *kept) {
	all, err := d.who.threads()
	if cgroup.Gone(err) || err == nil && len(all) == 0 && !d.forCalls() {
		d.err = k.drop(d)
		return
	}
	var s State
	if err == nil {
		s, err = k.charge(d)
	}
	now := clock.Monotonic()
	if err != nil {
		d.err, d.due = err, now+presence
		d.policy = background // nobody keeps its budget
		d.apply(all, now)
		return
	}
	d.policy = background
	if s.Left > 0 && len(all) <= MaxThreads {
		d.policy = d.prio
	}
	d.err = d.apply(all, now)
	wait := s.Next
	if s.Left > 0 {
		wait = s.Left / time.Duration(max(min(len(all), len(d.cpus))+s.Wide, 1))
		if d.forCalls() {
			wait = max(wait, s.Rest)
		}
	}
	if s.Look > 0 {
		wait = min(wait, s.Look)
	}
	d.due = now + min(max(wait, minLook), presence)
}

func (k *Keeper) charge(d *kept) (State, error) {
	where := d.account.Where()
	if d.policy != background || len(where) > 0 {
		k.thread.Visit(d.cpus)
		k.thread.Visit(where)
	}
	used, err := d.who.usage()
	if err != nil {
		return State{}, err
	}
	own := max(used-d.used, 0)
	d.used = used
	beside := k.beside(d)
	others := max(beside-d.beside, 0)
	d.beside = beside
	return d.account.Charge(clock.Monotonic(), Use{own, others, d.policy != background})
}

// beside is what threads have used that go before d's where these are. A
// reservation that ends takes its use with it, which makes one look's others 0.
func (k *Keeper) beside(d *kept) (sum time.Duration) {
	for _, o := range k.kept {
		if o == d || o.period > d.period || !slices.ContainsFunc(o.cpus, func(c int) bool { return slices.Contains(d.cpus, c) }) {
			continue
		}
		if used, err := o.who.usage(); err == nil {
			sum += used
		}
	}
	return sum
}

// apply gives threads the policy that they are to have.
func (d *kept) apply(all []int, now time.Duration) error {
	if now-d.renewed >= presence {
		// Somebody may have given them another, and numbers are used again.
		clear(d.has)
		d.renewed = now
	}
	for _, tid := range all {
		if had, ok := d.has[tid]; ok && had == d.policy {
			continue
		}
		err := setPolicy(tid, d.policy)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("thread %d: %w: its cgroup may give no real-time (cpu.rt_runtime_us)", tid, err)
		}
		d.has[tid] = d.policy
	}
	return nil
}

// reapply is for when the guard may have made all ordinary.
func (k *Keeper) reapply() {
	for _, d := range k.kept {
		clear(d.has)
		k.look(d)
	}
}
