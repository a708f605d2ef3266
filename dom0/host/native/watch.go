// SPDX-License-Identifier: Apache-2.0

package native

import (
	"math"
	"slices"
	"time"

	"github.com/vlibos/vlibos/internal/clock"
)

// watch is over those that sleep with their budget. They are not looked at one
// by one: as long as the parent has used no more than those who are awake, they
// have not used anything. Where all sleep, and the parent has an alarm, not even
// the parent is looked at.
type watch struct {
	due      time.Duration // never if nobody sleeps
	sleepers map[*kept]bool
	on       []int         // CPUs of sleepers
	bite     time.Duration // the least that a sleeper can be left alone
	changed  bool          // both have to be found anew
	unknown  time.Duration // what the parent had used and nobody is known to have
	unsure   bool          // that is of other domains than there are now
	armed    bool          // the alarm is on
	rang     time.Duration // when it went off
	noisy    time.Duration // until when it is not used
}

const (
	never = time.Duration(math.MaxInt64)
	// What of a sleeper's use goes unnoticed: readings are not at one moment.
	watchSlack = 100 * time.Microsecond
	// So long a domain that wakes up can run on a budget that is smaller,
	// once: it pays that back.
	minWatch = 5 * time.Millisecond
	// An alarm that goes off twice in so long, for others in the parent, saves
	// nothing.
	tooOften = 100 * time.Millisecond
)

// sleep puts a domain under watch.
func (k *keeper) sleep(d *kept, now time.Duration) {
	w := &k.watch
	if w.sleepers == nil {
		w.sleepers = map[*kept]bool{}
	}
	if len(w.sleepers) == 0 {
		w.due = never
	}
	w.sleepers[d], w.changed = true, true
	w.due = min(w.due, now+max(d.Bite(now), minWatch))
}

// awake takes it from there.
func (k *keeper) awake(d *kept) {
	if k.watch.sleepers[d] {
		delete(k.watch.sleepers, d)
		k.watch.changed = true
	}
}

// watchSleepers looks at sleepers if one of them may have run.
func (k *keeper) watchSleepers() {
	w := &k.watch
	if len(w.sleepers) == 0 {
		w.due = never
		k.arm(false)
		return
	}
	if w.changed {
		w.find()
	}
	k.thread.Visit(w.on)
	unknown, err := k.parent.usage() // before the others, so that these account for all of it
	if len(w.sleepers) < len(k.kept) {
		for _, d := range k.kept {
			if w.sleepers[d] {
				continue
			}
			if raw, err := d.group.usage(); err == nil {
				d.raw = raw
			}
		}
	}
	unknown -= k.known()
	now := clock.Monotonic()
	if w.armed && unknown-w.unknown > watchSlack {
		if now-w.rang < tooOften {
			w.noisy = now + presence
		}
		w.rang = now
	}
	if err != nil || w.unsure || unknown-w.unknown > watchSlack {
		for d := range w.sleepers {
			k.look(d)
		}
		w.unknown, w.unsure = unknown, err != nil
	} else {
		w.unknown = min(w.unknown, unknown)
	}
	if w.changed {
		w.find()
	}
	k.arm(len(w.sleepers) == len(k.kept) && len(k.kept) > 0 && now >= w.noisy)
	w.due = never
	if len(w.sleepers) > 0 && !w.armed {
		w.due = clock.Monotonic() + max(w.bite, minWatch)
	}
}

// arm switches the alarm on, if there is one that would do, or off.
func (k *keeper) arm(on bool) {
	w := &k.watch
	on = on && k.alarm != nil && k.alarm.covers(w.on)
	if on == w.armed {
		return
	}
	// What cannot be switched on is not relied on, and what cannot be switched
	// off wakes the keeper for nothing.
	w.armed = k.alarm.set(on) == nil && on
}

// known is what all domains were seen to have used.
func (k *keeper) known() (sum time.Duration) {
	for _, d := range k.order {
		sum += d.raw
	}
	return sum
}

// find finds where sleepers are, and how long they can be left alone: what they
// have of their budgets only gets more.
func (w *watch) find() {
	w.changed, w.bite, w.on = false, never, w.on[:0]
	now := clock.Monotonic()
	for d := range w.sleepers {
		w.bite = min(w.bite, d.Bite(now))
		w.on = append(w.on, d.on...)
	}
	slices.Sort(w.on)
	w.on = slices.Compact(w.on)
}
