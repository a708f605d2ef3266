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
	// glance is how often others are looked for while a domain runs in background,
	// and bout is for how long they are found before it is stopped: a domain that
	// wakes for a moment goes first without that.
	glance = 5 * time.Millisecond
	bout   = 10 * time.Millisecond
	// credit puts a domain that was resumed before those that wake, until its next
	// tick, by default 10 ms. Others are looked for more often meanwhile.
	boosted     = 10 * time.Millisecond
	quickGlance = time.Millisecond
	// Idle times of a stopped domain's CPUs are read after probe, and then less
	// and less often, up to patience.
	probe    = keeper.MinLook
	patience = 5 * time.Millisecond
	// dear bounds the part of a CPU that the glances take.
	dear = 50
)

// spare finds CPU time that no other domain wants, where the scheduler has no
// weight that is low enough to leave it to the others.
//
//	             without budget, others wait
//	foreground ──────────────────────────────→ stopped ⟲ its CPUs are busy
//	     │ ↑                                    ↑   │
//	     │ └────────────── refill ──────────────┤   │ idle for half of the time
//	     │                                      │   ↓
//	     └── without budget, none waits ───→ running in background
//	                                  others want its CPUs for 10 ms: stopped
//
// Under credit a domain that was resumed a moment ago gives way to others that
// wait. Domains in background are no others to each other: they share the CPUs.
type spare struct {
	due  time.Duration   // of the next look; keeper.Never if no domain needs one
	at   time.Duration   // when idle was read
	idle []time.Duration // of each CPU, since it was brought up
}

// turn is one domain's.
type turn struct {
	runs  bool          // in background
	from  time.Duration // since when others were found; 0: they were not
	since time.Duration // when it was stopped
	wait  time.Duration // until idle times are read again
}

// yield is called when a domain has no budget any more, or may be elsewhere: it
// is stopped if others wait.
func (d *domain) yield() {
	if d.entry.lowers() {
		return
	}
	d.turn = turn{runs: true}
	if waits, behind := d.others(d.claims()); waits || behind {
		d.turn = turn{since: clock.Monotonic(), wait: probe}
	}
	d.spare.due = 0
}

// also is the work that is due besides looks at domains.
func (k *keeping) also() time.Duration {
	if k.spare.due <= clock.Monotonic() {
		k.findSpare()
	}
	return k.spare.due
}

// findSpare decides which domains run in background.
func (k *keeping) findSpare() {
	s, begun := &k.spare, clock.Monotonic()
	var running, stopped []*domain
	for e := range k.Entries() {
		switch d := k.of(e); {
		case d.foreground || d.entry.lowers():
		case d.turn.runs:
			running = append(running, d)
		default:
			stopped = append(stopped, d)
		}
	}
	s.due = keeper.Never
	var (
		changed []*domain
		cost    time.Duration
	)
	shared := map[int]bool{} // CPUs that are left to domains in background
	if len(running) > 0 {
		all := k.claims()
		cost = clock.Monotonic() - begun
		for _, d := range running {
			switch waits, behind := d.others(all); {
			case !waits && !behind:
				d.turn.from = 0
				for _, c := range d.on {
					shared[c] = true
				}
			case d.turn.from != 0 && begun-d.turn.from >= bout:
				d.turn = turn{since: clock.Monotonic(), wait: probe}
				changed, stopped = append(changed, d), append(stopped, d)
			default:
				if d.turn.from == 0 {
					d.turn.from = begun
				}
				if waits {
					d.giveWay()
				}
			}
		}
	}
	if len(stopped) > 0 {
		idle, _ := k.xen.IdleTimes() // without them no CPU is found to be idle
		now := clock.Monotonic()
		free := func(c int) bool {
			return shared[c] || c < len(idle) && c < len(s.idle) && 2*(idle[c]-s.idle[c]) >= now-s.at
		}
		for _, d := range stopped {
			switch {
			case d.turn.since > s.at: // it was not stopped for all of the time
			case d.fits(free):
				d.turn = turn{runs: true}
				changed = append(changed, d)
			default:
				d.turn.wait = min(2*d.turn.wait, patience)
			}
		}
		s.idle, s.at = idle, now
	}
	for _, d := range changed {
		if err := d.Pause(); err != nil {
			k.Look(k.Entry(d.entry.id)) // finds what is wrong with it
		}
	}
	now := clock.Monotonic()
	for _, d := range slices.Concat(running, stopped) {
		wait := glance
		switch {
		case !d.turn.runs:
			wait = d.turn.wait
		case now < d.resumed+boosted:
			wait = quickGlance
		}
		s.due = min(s.due, now+max(wait, dear*cost))
	}
}

// claims are the domains that want a CPU, by its number.
type claims map[int]struct {
	runs  uint16 // the domain that runs, if any does
	any   bool
	waits []uint16
}

// claims looks which domains want which CPU now. It leaves out those that run in
// background, and all that cannot be read.
func (k *keeping) claims() claims {
	all := claims{}
	infos, _ := k.xen.Domains()
	for _, info := range infos {
		if info.Blocked || info.Paused || info.Shutdown || info.Dying {
			continue
		}
		for i := range info.MaxVCPUID + 1 {
			v, err := k.xen.VCPU(info.ID, i)
			if err != nil || !v.Online || v.Blocked {
				continue
			}
			c := all[v.CPU]
			if v.Running {
				c.runs, c.any = info.ID, true
			} else {
				c.waits = append(c.waits, info.ID)
			}
			all[v.CPU] = c
		}
	}
	return all
}

// others reports whether another domain waits for one of the domain's CPUs, and
// whether the domain waits behind another. A CPU that Dom0 has is Dom0's for
// this look.
func (d *domain) others(all claims) (waits, behind bool) {
	for _, cpu := range d.on {
		c := all[cpu]
		for _, id := range c.waits {
			waits = waits || d.another(id)
			behind = behind || id == d.info.ID && c.any && c.runs != 0 && d.another(c.runs)
		}
	}
	return waits, behind
}

// giveWay lets a domain that has woken go first, if it waits because this one
// was resumed. The next look finds what goes wrong.
func (d *domain) giveWay() {
	if d.entry.place().scheduler == xenctl.Credit && d.entry.pause.Load() == none {
		_ = d.entry.stop(d.xen)
		_ = d.entry.unpause(d.xen)
		d.resumed = clock.Monotonic()
	}
}

// another reports whether a domain is one that does not run in background.
func (d *domain) another(id uint16) bool {
	for e := range d.Entries() {
		if o := d.of(e); o.entry.domid == uint32(id) {
			return o != d && (o.foreground || o.entry.lowers() || !o.turn.runs)
		}
	}
	return uint32(id) != d.entry.domid
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
	switch {
	case !runs || denied:
		err = d.entry.stop(d.xen)
	case d.entry.pause.Load() != none:
		err = d.entry.unpause(d.xen)
		d.resumed = now
		d.spare.due = min(d.spare.due, now+quickGlance)
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
