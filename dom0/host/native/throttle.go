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
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/internal/cpulist"
	"github.com/vlibos/vlibos/rtsched"
)

// denials are the CPUs that give no background time for a part of each period.
// Domains are stopped by the freezer: bandwidth limits of cgroups take effect at
// ticks, which are 1 to 10 ms apart, and the freezer within 50 microseconds.
//
// At each begin and end only the domains of that CPU are looked at: with many
// CPUs, these are many in a period.
type denials struct {
	due    time.Duration // when one begins or ends; keeper.Never if there are none
	on     []throttled
	now    [cpulist.Max + 1]bool // CPUs that deny it, as of the last look
	stale  bool                  // which domain is on which CPU has to be found again
	leased func() bool
}

// throttled is a CPU with a denial.
type throttled struct {
	denial
	cpu     int
	changed bool
	domains []*adopted
}

// denial begins with each whole number of periods of the clock, so that those of
// equal periods are at the same time on all CPUs.
type denial struct{ period, idle time.Duration }

// at reports whether time is denied, and when that changes.
func (d denial) at(now time.Duration) (denied bool, until time.Duration) {
	begin := now.Truncate(d.period)
	if now < begin+d.idle {
		return true, begin + d.idle
	}
	return false, begin + d.period
}

// denied reports whether a domain has to stop: it is in background and not
// spared, and one of its CPUs gives no such time now.
func (s *denials) denied(d *adopted) bool {
	return !d.foreground && !d.spared && len(s.on) > 0 && slices.ContainsFunc(d.on, func(c int) bool { return s.now[c] })
}

// Throttle implements host.Host. A domain that may run on several CPUs
// is denied background time while any of them denies it.
func (p *Host) Throttle(ctx context.Context, cpu int, period, idle time.Duration) error {
	switch {
	case cpu < 0 || cpu > cpulist.Max:
		return fmt.Errorf("throttle CPU %d: there are 0 to %d: %w", cpu, cpulist.Max, host.ErrNotAllowed)
	case period < rtsched.MinPeriod || period > rtsched.MaxPeriod || idle < 0 || idle > period:
		return fmt.Errorf("throttle CPU %d for %v of %v: %w: periods of %v to %v, and no more than all of one", cpu, idle, period, rtsched.ErrRange, rtsched.MinPeriod, rtsched.MaxPeriod)
	case idle > 0 && !p.k.Lease().Runs():
		return fmt.Errorf("throttle CPU %d: %w: renew it first", cpu, host.ErrLease)
	}
	return p.k.Do(ctx, func() { p.k.throttle(cpu, denial{period, idle}) })
}

func (k *keeping) throttle(cpu int, d denial) {
	s := &k.denials
	at := slices.IndexFunc(s.on, func(t throttled) bool { return t.cpu == cpu })
	switch {
	case at < 0 && d.idle == 0:
		return
	case at < 0:
		s.on, s.stale = append(s.on, throttled{denial: d, cpu: cpu}), true
	case d.idle > 0:
		s.on[at].denial = d
	default:
		// Its domains are looked at for the last time.
		s.on[at].denial = denial{d.period, 0}
		k.deny()
		at = slices.IndexFunc(s.on, func(t throttled) bool { return t.cpu == cpu })
		if at >= 0 {
			s.on = slices.Delete(s.on, at, at+1)
		}
	}
	k.deny()
}

// deny freezes throttled domains and thaws the others.
func (k *keeping) deny() {
	s := &k.denials
	if !s.leased() {
		// A domain that cannot be resumed is gone; the next look finds that.
		_ = k.lift()
		return
	}
	if s.stale {
		s.find(k.adopted)
	}
	now := clock.Monotonic()
	s.due = keeper.Never
	for i := range s.on {
		t := &s.on[i]
		denied, until := t.at(now)
		t.changed = denied != s.now[t.cpu]
		s.now[t.cpu] = denied
		s.due = min(s.due, until)
	}
	for _, t := range s.on {
		if !t.changed {
			continue
		}
		for _, d := range t.domains {
			k.pause(d)
		}
	}
}

// find finds which domain is on which CPU. A domain that is new on a CPU waits
// for the next change.
func (s *denials) find(all map[string]*adopted) {
	s.stale = false
	for i := range s.on {
		t := &s.on[i]
		t.domains = t.domains[:0]
		for _, d := range all {
			if slices.Contains(d.on, t.cpu) {
				t.domains = append(t.domains, d)
			}
		}
	}
}

// lift ends all throttles.
func (k *keeping) lift() error {
	s := &k.denials
	for _, t := range s.on {
		s.now[t.cpu] = false
	}
	s.on, s.due = nil, keeper.Never
	var errs []error
	for _, d := range k.adopted {
		errs = append(errs, gone(d.setPaused(false)))
	}
	return errors.Join(errs...)
}

// gate closes or opens a gate for this process.
func (k *keeping) gate(name string, closed bool) error {
	err := k.layout.askFreeze(name, closed)
	if d := k.adopted[name]; d != nil && err == nil {
		d.gated = closed
		d.throttled.end(clock.Monotonic())
	}
	return err
}

// pause says how the throttle has stopped a domain.
type pause struct {
	on     bool
	since  time.Duration
	sum    time.Duration
	used   time.Duration // CPU time when it was last resumed
	before bool          // it was stopped once
}

// total is how long the domain was stopped while it would have run.
func (h *pause) total(now time.Duration) time.Duration {
	if h.on {
		return h.sum + now - h.since
	}
	return h.sum
}

func (h *pause) end(now time.Duration) {
	if h.on {
		h.sum += now - h.since
	}
	h.on, h.before = false, true
}

// pause stops a domain, or resumes it, as CPUs deny it background time.
func (k *keeping) pause(d *adopted) {
	if err := gone(d.setPaused(k.denials.denied(d))); err != nil {
		k.Entry(d.id).Fail(err)
	}
}

// setPaused stops a domain, or resumes it. A closed gate stays closed, also if
// another process closed it.
func (d *adopted) setPaused(on bool) error {
	if on == d.throttled.on || d.gated {
		return nil
	}
	now := clock.Monotonic()
	if on {
		if frozen, err := d.group.isFrozen(); err != nil || frozen {
			return err
		}
		if err := d.group.setFrozen(true); err != nil {
			return err
		}
		d.throttled.on, d.throttled.since = true, now
		return nil
	}
	// The reading of a stopped domain is exact. A domain that has not run since
	// it was last resumed would not run now.
	used, err := d.group.usage()
	if err != nil {
		return err
	}
	if d.throttled.before && used == d.throttled.used {
		d.throttled.since = now
	}
	d.throttled.used = used
	d.throttled.end(now)
	return d.group.setFrozen(false)
}
