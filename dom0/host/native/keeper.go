// SPDX-License-Identifier: Apache-2.0

package native

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/guard"
	"github.com/vlibos/vlibos/dom0/host/loop"
	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/internal/clock"
)

// keeper keeps the budgets of all adopted domains, in one thread with one
// timer. All fields are that thread's; others have it run functions.
type keeper struct {
	*loop.Loop
	thread   loop.Thread
	parent   *group
	alarm    *alarm // nil: the machine has none for the parent
	weight   *parentWeight
	claims   bool // the parent's weight is raised for it
	weights  bool // foreground is a cgroup's weight, not its threads' priority
	kept     map[string]*kept
	order    schedule
	watch    watch
	denials  denials
	lateness time.Duration // the largest with which a look began
}

func startKeeper(parent *group, usage hierarchy, weight *parentWeight, weights bool, l *guard.Lease) (*keeper, error) {
	k := &keeper{parent: parent, weight: weight, weights: weights, kept: map[string]*kept{}, denials: denials{due: never, leased: l.Runs}}
	var files []int
	if usage.version == 2 {
		k.alarm, _ = openAlarm(usage.dir) // without one it looks
	}
	if k.alarm != nil {
		files = append(files, k.alarm.epoll)
	}
	var err error
	if k.Loop, err = loop.Start(k.step, files...); err != nil && k.alarm != nil {
		err = errors.Join(err, k.alarm.close())
	}
	return k, err
}

// stop leaves all domains as they are, but in background, for nobody would end a
// foreground, and without a throttle.
func (k *keeper) stop() error {
	var errs []error
	if k.Do(context.Background(), func() {
		errs = append(errs, k.lift())
		for _, d := range k.kept {
			if err := k.raise(d, false); !cgroup.Gone(err) {
				errs = append(errs, err)
			}
		}
	}) != nil {
		return nil // it was stopped before
	}
	_, err := k.Stop()
	errs = append(errs, err, k.parent.close())
	if k.alarm != nil {
		errs = append(errs, k.alarm.close())
	}
	for _, d := range k.kept {
		errs = append(errs, d.group.close())
	}
	return errors.Join(errs...)
}

// step looks at all who are due.
func (k *keeper) step() time.Duration {
	now := clock.Monotonic()
	for len(k.order) > 0 && k.order[0].due <= now {
		k.lateness = max(k.lateness, now-k.order[0].due)
		k.look(k.order[0])
	}
	if k.watch.due <= now || k.watch.armed {
		k.watchSleepers()
	}
	if k.denials.due <= now {
		k.deny()
	}
	return k.next()
}

func (k *keeper) next() time.Duration {
	due := min(k.watch.due, k.denials.due)
	if len(k.order) > 0 {
		return min(k.order[0].due, due)
	}
	return due
}

// add begins to keep a domain. What it has used up to now is nobody's.
func (k *keeper) add(d *kept) error {
	if len(k.kept) == 0 {
		// Not before: a process with a real-time thread may enter no cgroup.
		if k.thread.Start(); !k.thread.Realtime {
			k.weights = true
		}
		if k.weights {
			if err := k.claim(); err != nil {
				return err
			}
		}
	}
	now := clock.Monotonic()
	var err error
	if d.total, err = d.group.usage(); err == nil {
		d.raw, d.Seen = d.total, now
		err = k.raise(d, true)
	}
	if err == nil {
		d.parentSeen, err = k.parent.usage()
	}
	if err != nil {
		if len(k.kept) == 0 {
			err = errors.Join(err, k.disclaim())
		}
		return err
	}
	d.applied = true
	k.kept[d.name] = d
	k.watch.unsure, k.denials.stale = true, true
	d.due = now + d.Bite(now)
	heap.Push(&k.order, d)
	return nil
}

// drop ends keeping a domain, which gets what it had if it is there.
func (k *keeper) drop(d *kept) error {
	heap.Remove(&k.order, d.index)
	delete(k.kept, d.name)
	k.awake(d)
	k.watch.unsure, k.denials.stale = true, true
	err := errors.Join(d.setHeld(false), k.lower(d))
	if cgroup.Gone(err) {
		err = nil
	}
	err = errors.Join(err, d.group.close())
	if len(k.kept) == 0 {
		err = errors.Join(err, k.disclaim())
	}
	return err
}

// reapply sets all weights anew, after somebody else has. Gates are open, and
// throttles are over.
func (k *keeper) reapply() {
	for _, d := range k.kept {
		d.gated = false
	}
	// What cannot be lifted, or weighed, is gone, which looks find out.
	_ = k.lift()
	_ = k.weight.again()
	for _, d := range k.kept {
		d.unset = true
		k.look(d)
	}
}

// claim raises the parent's weight for adopted domains, disclaim ends that.
func (k *keeper) claim() error {
	if k.claims {
		return nil
	}
	err := k.weight.raise()
	k.claims = err == nil
	return err
}

func (k *keeper) disclaim() error {
	if !k.claims {
		return nil
	}
	k.claims = false
	return k.weight.lower()
}

// find is the domain that runs on that reservation.
func (k *keeper) find(name string, id uint32) (*kept, error) {
	d := k.kept[name]
	if d == nil || d.id != id {
		return nil, fmt.Errorf("domain %q: %w on reservation %d", name, host.ErrNoDomain, id)
	}
	return d, nil
}
