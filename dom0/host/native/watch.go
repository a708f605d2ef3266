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
	awake    map[*adopted]bool // all others that are adopted
	known    time.Duration     // CPU time of all that are adopted, at their last reading
	on       []int             // CPUs of sleepers, and of some that have woken since
	bite     time.Duration     // no sleeper can use up its budget in less
	found    time.Duration     // when both were found
	unknown  time.Duration     // CPU time of the parent that belongs to no known domain
	unsure   bool              // the parent could not be read
	armed    bool              // the alarm is on
	rang     time.Duration     // when the alarm went off
	noisy    time.Duration     // until when the alarm is not used
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
	if len(w.sleepers) == 0 {
		w.due, w.bite, w.on = keeper.Never, keeper.Never, w.on[:0]
	}
	delete(w.awake, d)
	w.sleepers[d] = true
	w.add(d, now)
	w.due = min(w.due, now+d.bite(now))
}

// add counts a sleeper among those that there were.
func (w *watch) add(d *adopted, now time.Duration) {
	w.bite = min(w.bite, d.bite(now))
	for _, c := range d.on {
		if at, ok := slices.BinarySearch(w.on, c); !ok {
			w.on = slices.Insert(w.on, at, c)
		}
	}
}

// wake ends the watch over a domain.
func (k *keeping) wake(d *adopted) {
	if w := &k.watch; w.sleepers[d] {
		delete(w.sleepers, d)
		w.awake[d] = true
	}
}

// forget ends all watching over a domain that is no longer adopted.
func (k *keeping) forget(d *adopted) {
	k.wake(d)
	k.watch.unknown += d.raw
	d.count(0)
	delete(k.watch.awake, d)
}

// begin counts a domain that is adopted from now on.
func (w *watch) begin(d *adopted, used time.Duration) {
	w.awake[d] = true
	d.count(used)
	w.unknown -= used
}

// watchSleepers looks at sleepers if one of them may have run.
func (k *keeping) watchSleepers() {
	w := &k.watch
	if len(w.sleepers) == 0 {
		w.due = keeper.Never
		k.arm(false)
		return
	}
	w.find(clock.Monotonic())
	k.Visit(w.on)
	unknown, err := k.parent.usage() // before the others, so that these account for all of it
	for d := range w.awake {
		if raw, err := d.group.usage(); err == nil {
			d.count(raw)
		}
	}
	known := w.known
	unknown -= known
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
		w.unknown, w.unsure = unknown+known-w.known, err != nil // what they used is known now
	} else {
		w.unknown = min(w.unknown, unknown)
	}
	k.arm(len(w.awake) == 0 && len(w.sleepers) > 0 && now >= w.noisy)
	w.due = keeper.Never
	if len(w.sleepers) > 0 && !w.armed {
		w.due = clock.Monotonic() + w.bite
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

// count records a reading of a domain's CPU time.
func (d *adopted) count(raw time.Duration) {
	d.k.watch.known += raw - d.raw
	d.raw = raw
}

// find finds where sleepers are, and how long they can be left alone: while
// they sleep their budgets only grow. Until it is repeated both may be too
// careful.
func (w *watch) find(now time.Duration) {
	if now-w.found < presence {
		return
	}
	w.found, w.bite, w.on = now, keeper.Never, w.on[:0]
	for d := range w.sleepers {
		w.add(d, now)
	}
}
