// SPDX-License-Identifier: Apache-2.0

package native

import (
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/internal/clock"
)

// watch is over domains that sleep with their budget. They are not polled
// individually: as long as the parent has used no more than the domains that
// are awake, sleepers have used nothing. Where all sleep, and the parent has an
// alarm, the parent is not read either.
type watch struct {
	due      time.Duration // keeper.Never if none sleeps
	sleepers map[*adopted]bool
	on       []int         // CPUs of sleepers
	bite     time.Duration // the shortest time in which a sleeper can use up its budget
	changed  bool          // both have to be found again
	unknown  time.Duration // CPU time of the parent that belongs to no known domain
	unsure   bool          // unknown was found for other domains than there are now
	armed    bool          // the alarm is on
	rang     time.Duration // when the alarm went off
	noisy    time.Duration // until when the alarm is not used
}

const (
	// The part of a sleeper's use that may go unnoticed: readings are not at
	// one moment.
	watchSlack = 100 * time.Microsecond
	// The time for which a domain that wakes up can run on a budget that is
	// smaller, once: it pays that back.
	minWatch = 5 * time.Millisecond
	// An alarm that goes off twice within this time, for other domains in the
	// parent, saves nothing.
	tooOften = 100 * time.Millisecond
)

// sleep puts a domain under watch.
func (k *keeping) sleep(d *adopted, now time.Duration) {
	w := &k.watch
	if w.sleepers == nil {
		w.sleepers = map[*adopted]bool{}
	}
	if len(w.sleepers) == 0 {
		w.due = keeper.Never
	}
	w.sleepers[d], w.changed = true, true
	w.due = min(w.due, now+max(d.bite(now), minWatch))
}

// wake ends the watch over a domain.
func (k *keeping) wake(d *adopted) {
	if k.watch.sleepers[d] {
		delete(k.watch.sleepers, d)
		k.watch.changed = true
	}
}

// watchSleepers looks at sleepers if one of them may have run.
func (k *keeping) watchSleepers() {
	w := &k.watch
	if len(w.sleepers) == 0 {
		w.due = keeper.Never
		k.arm(false)
		return
	}
	if w.changed {
		w.find()
	}
	k.Visit(w.on)
	unknown, err := k.parent.usage() // before the others, so that these account for all of it
	if len(w.sleepers) < len(k.adopted) {
		for _, d := range k.adopted {
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
			k.Look(k.Entry(d.id))
		}
		w.unknown, w.unsure = unknown, err != nil
	} else {
		w.unknown = min(w.unknown, unknown)
	}
	if w.changed {
		w.find()
	}
	k.arm(len(w.sleepers) == len(k.adopted) && len(k.adopted) > 0 && now >= w.noisy)
	w.due = keeper.Never
	if len(w.sleepers) > 0 && !w.armed {
		w.due = clock.Monotonic() + max(w.bite, minWatch)
	}
}

// arm switches the alarm on, if there is a suitable one, or off.
func (k *keeping) arm(on bool) {
	w := &k.watch
	on = on && k.alarm != nil && k.alarm.covers(w.on)
	if on == w.armed {
		return
	}
	// An alarm that cannot be switched on is not relied on; one that cannot be
	// switched off wakes the keeper needlessly.
	w.armed = k.alarm.set(on) == nil && on
}

// known is the CPU time of all domains at their last reading.
func (k *keeping) known() (sum time.Duration) {
	for _, d := range k.adopted {
		sum += d.raw
	}
	return sum
}

// find finds where sleepers are, and how long they can be left alone: while
// they sleep their budgets only grow.
func (w *watch) find() {
	w.changed, w.bite, w.on = false, keeper.Never, w.on[:0]
	now := clock.Monotonic()
	for d := range w.sleepers {
		w.bite = min(w.bite, d.bite(now))
		w.on = append(w.on, d.on...)
	}
	slices.Sort(w.on)
	w.on = slices.Compact(w.on)
}
