// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"errors"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/xenctl"
)

const (
	// slice is how long a domain runs in background before its CPUs are probed
	// again.
	slice = 20 * time.Millisecond
	// probe is how long the first probe takes.
	probe = keeper.MinLook
	// patience is the longest time between two probes of busy CPUs.
	patience = 5 * time.Millisecond
)

// spare finds CPU time that no other domain wants, where the scheduler has no
// weight that is low enough to leave it to the others: a domain in background is
// stopped, and Xen says for how long its CPUs were idle meanwhile. If that is
// half of the time or more, the domain runs for a slice.
//
//	           without budget                 slice over
//	foreground ──────────────→ probing ←──────────────────── running
//	     ↑                      │  ⟲ CPUs busy: later          ↑
//	     └──── refill ──────────┴──────── CPUs idle ───────────┘
//
// Domains in background whose slices end at the same time share the CPUs. Those
// that wait are given a slice with the one that is running when that has ended,
// and from then on theirs end together.
type spare struct {
	due  time.Duration   // of the next probe; keeper.Never if no domain needs one
	at   time.Duration   // when idle was read
	idle []time.Duration // of each CPU, since it was brought up
}

// turn is one domain's.
type turn struct {
	runs  bool
	since time.Duration // when it was told to run, or not to
	wait  time.Duration // until the next probe
}

func (t *turn) end(now time.Duration) { *t = turn{since: now, wait: probe} }

// yield ends the domain's slice, and has its CPUs probed.
func (d *domain) yield() {
	if !d.entry.lowers() {
		d.turn.end(clock.Monotonic())
		d.spare.due = 0
	}
}

// also is the work that is due besides looks at domains.
func (k *keeping) also() time.Duration {
	if k.spare.due <= clock.Monotonic() {
		k.findSpare()
	}
	return k.spare.due
}

// findSpare ends the probe that runs, and begins the next.
func (k *keeping) findSpare() {
	s := &k.spare
	was, before := s.idle, s.at
	idle, err := k.xen.IdleTimes()
	now := clock.Monotonic()
	free := func(c int) bool {
		return c < len(idle) && c < len(was) && 2*(idle[c]-was[c]) >= now-before
	}
	ended := false
	for e := range k.Entries() {
		d := k.of(e)
		switch {
		case d.foreground || d.entry.lowers() || d.turn.runs && now < d.turn.since+slice:
			continue
		case d.turn.runs:
			d.turn.end(now)
			ended = true
		case d.turn.since > before: // it was not stopped for all of the time
			continue
		case err == nil && d.fits(free):
			d.turn = turn{runs: true, since: now}
		default:
			d.turn.wait = min(2*d.turn.wait, patience)
			continue
		}
		if err := d.Pause(); err != nil {
			k.Look(e) // finds what is wrong with it
		}
	}
	if ended {
		idle, _ = k.xen.IdleTimes() // without it no CPU is found to be free
	}
	s.idle, s.at, s.due = idle, clock.Monotonic(), keeper.Never
	for e := range k.Entries() {
		switch d := k.of(e); {
		case d.foreground || d.entry.lowers():
		case d.turn.runs:
			s.due = min(s.due, d.turn.since+slice)
		default:
			s.due = min(s.due, s.at+d.turn.wait)
		}
	}
}

// fits reports whether each vCPU of the domain that wants to run has a free CPU,
// or all of its CPUs are free.
func (d *domain) fits(free func(int) bool) bool {
	n := 0
	for _, c := range d.on {
		if free(c) {
			n++
		}
	}
	if n == 0 || n == len(d.on) {
		return n > 0
	}
	want := 0
	for i := range d.info.MaxVCPUID + 1 {
		if v, err := d.xen.VCPU(d.info.ID, i); err == nil && v.Online && !v.Blocked {
			want++
		}
	}
	return n >= want
}

// denial is how the throttle has stopped a domain.
type denial struct {
	on    bool
	since time.Duration
	sum   time.Duration // for how long it would have run
}

func (t *denial) total(now time.Duration) time.Duration {
	if t.on {
		return t.sum + now - t.since
	}
	return t.sum
}

// On implements [keeper.Throttled].
func (d *domain) On() []int { return d.on }

// Pause implements [keeper.Throttled]. A domain with budget is not stopped; in
// background it is while the throttle denies it that time, or while others want
// its CPUs.
func (d *domain) Pause() error {
	runs := d.foreground || d.entry.lowers() || d.turn.runs
	denied := runs && !d.foreground && !d.critical && d.Denies(d.on)
	now := clock.Monotonic()
	switch {
	case denied && !d.throttled.on:
		d.throttled.on, d.throttled.since = true, now
	case !denied && d.throttled.on:
		// A domain that sleeps would not have run.
		if info, err := d.xen.DomainInfo(d.info.ID); err == nil && !info.Blocked {
			d.throttled.sum = d.throttled.total(now)
		}
		d.throttled.on = false
	}
	err := error(nil)
	if runs && !denied {
		err = d.entry.unpause(d.xen)
	} else {
		err = d.entry.stop(d.xen)
	}
	if errors.Is(err, xenctl.ErrNoDomain) {
		return nil // the next look finds that
	}
	return err
}

// moved records that a domain may run on other CPUs, or has another class.
func (k *keeping) moved(e *keeper.Entry, on []int, critical bool) {
	d := k.of(e)
	if critical != d.critical || !slices.Equal(on, d.on) {
		d.on, d.critical = on, critical
		k.Moved(e)
	}
}
