// SPDX-License-Identifier: Apache-2.0

package native

import (
	"container/heap"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/host/account"
	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/internal/clock"
)

// presence is after how long, or twice that, a domain that sleeps is looked at.
const presence = time.Second

// kept is an adopted domain.
type kept struct {
	account.Account
	name   string
	id     uint32
	period time.Duration
	group  *group
	on     []int // its CPUs

	total      time.Duration // reading up to which it is charged
	raw        time.Duration // last reading
	parentSeen time.Duration // the parent's reading at the last look
	applied    bool          // the cgroup is in foreground
	unset      bool          // or was set by somebody else
	soon       bool          // it has just got budget, and was not seen to run
	awake      bool          // it wanted to run at the last look
	spared     bool          // by the throttle
	held       hold          // what the throttle does to it
	gated      bool          // its gate is closed, as far as this process did that
	err        error         // of the last look

	due   time.Duration // of the next look
	index int           // in the schedule
}

func (d *kept) setCPUs(cpus []int) {
	d.on = cpus
	d.On(len(cpus))
}

// move says that a domain is on other CPUs.
func (k *keeper) move(d *kept, cpus []int) {
	d.setCPUs(cpus)
	k.denials.stale = true
	if err := d.setHeld(k.denials.denied(d)); err != nil && !cgroup.Gone(err) {
		d.err = err
	}
}

// look reads what a domain has used, charges it, and does what follows from
// it. A domain that is gone is dropped.
func (k *keeper) look(d *kept) {
	if d.err = k.charge(d); cgroup.Gone(d.err) {
		// Closing files can only fail if they are closed, and the
		// parent may be gone too.
		_ = k.drop(d)
		return
	}
	now := clock.Monotonic()
	sleeps := d.Foreground && d.Asleep
	switch {
	case d.err != nil || sleeps:
		// The watch is over it. That it is there is found out now and
		// then, of all at once.
		d.due = (now + 2*presence).Truncate(presence)
	case d.Foreground && d.soon:
		d.due = now + account.MinLook
	case d.Foreground:
		d.due = now + d.Bite(now)
	default:
		d.due = max(d.Server.Next(), now+account.MinLook)
	}
	heap.Fix(&k.order, d.index)
	if sleeps && !k.watch.sleepers[d] {
		k.sleep(d, now)
	} else if !sleeps {
		k.awake(d)
	}
}

func (k *keeper) charge(d *kept) error {
	total, err := d.group.usage()
	if err != nil {
		return err
	}
	// The kernel counts what runs now up to the last tick, and exactly once
	// it is preempted. Who slept and still does needs no such visit.
	awake := false
	if total != d.total || !d.Asleep {
		awake = d.group.members.runnable()
		k.thread.Visit(d.on)
		if total, err = d.group.usage(); err != nil {
			return err
		}
	}
	parent, err := k.parent.usage()
	if err != nil {
		return err
	}
	now := clock.Monotonic()
	used := max(total-d.total, 0)
	d.Look(account.Reading{
		Now: now, Used: used, Others: max(parent-d.parentSeen-used, 0), Contended: k.contended(d), Awake: awake && d.awake,
	})
	d.total, d.raw, d.awake = total, total, awake
	if d.Seen == now {
		d.parentSeen = parent
	}
	// Who has become heavier is picked at the next tick, or when the keeper
	// has been on its CPU once more.
	d.soon = d.Foreground && (!d.applied || used == 0 && (awake || d.Seen < now))
	if d.unset || d.Foreground != d.applied {
		if err := k.raise(d, d.Foreground); err != nil {
			return err
		}
		d.applied, d.unset = d.Foreground, false
		return d.setHeld(k.denials.denied(d))
	}
	return nil
}

// contended reports whether another domain with budget may be where d is.
func (k *keeper) contended(d *kept) bool {
	return slices.ContainsFunc(k.order, func(o *kept) bool {
		return o != d && o.Foreground && !o.Asleep && slices.ContainsFunc(o.on, func(c int) bool { return slices.Contains(d.on, c) })
	})
}

// schedule is a heap by due.
type schedule []*kept

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].due < s[j].due }
func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

// Push implements heap.Interface.
func (s *schedule) Push(x any) {
	d := x.(*kept)
	d.index = len(*s)
	*s = append(*s, d)
}

// Pop implements heap.Interface.
func (s *schedule) Pop() any {
	old := *s
	d := old[len(old)-1]
	old[len(old)-1] = nil
	*s = old[:len(old)-1]
	return d
}
