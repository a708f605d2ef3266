// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/internal/cpulist"
	"github.com/vlibos/vlibos/rtsched"
)

// Throttled is a [Subject] that the throttle can stop in background.
type Throttled interface {
	// On are the CPUs on which it may run.
	On() []int
	// Pause stops it, or resumes it, as [Keeper.Denies] says for it now. It
	// ignores what is gone.
	Pause() error
}

// denials are the CPUs that give no background time for a part of each period.
//
// At each begin and end only the subjects of that CPU are looked at: with many
// CPUs, these are many in a period.
type denials struct {
	due   time.Duration // when one begins or ends; Never if there are none
	on    []denied
	now   [cpulist.Max + 1]bool // CPUs that deny it, as of the last look
	stale bool                  // which subject is on which CPU has to be found again
}

// denied is a CPU with a denial.
type denied struct {
	denial
	cpu     int
	changed bool
	entries []*Entry
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

// Denies reports whether one of these CPUs gives no background time now.
func (k *Keeper) Denies(cpus []int) bool {
	s := &k.denials
	return len(s.on) > 0 && slices.ContainsFunc(cpus, func(c int) bool { return s.now[c] })
}

// Throttle is that of a [host.Host]. A subject that may run on several CPUs is
// denied background time while any of them denies it.
func (k *Keeper) Throttle(ctx context.Context, cpu int, period, idle time.Duration) error {
	switch {
	case cpu < 0 || cpu > cpulist.Max:
		return fmt.Errorf("throttle CPU %d: there are 0 to %d: %w", cpu, cpulist.Max, host.ErrNotAllowed)
	case period < rtsched.MinPeriod || period > rtsched.MaxPeriod || idle < 0 || idle > period:
		return fmt.Errorf("throttle CPU %d for %v of %v: %w: periods of %v to %v, and no more than all of one", cpu, idle, period, rtsched.ErrRange, rtsched.MinPeriod, rtsched.MaxPeriod)
	case idle > 0 && !k.lease.Runs():
		return fmt.Errorf("throttle CPU %d: %w: renew it first", cpu, host.ErrLease)
	}
	return k.Do(ctx, func() { k.throttle(cpu, denial{period, idle}) })
}

func (k *Keeper) throttle(cpu int, d denial) {
	s := &k.denials
	find := func() int { return slices.IndexFunc(s.on, func(t denied) bool { return t.cpu == cpu }) }
	at := find()
	switch {
	case at < 0 && d.idle == 0:
		return
	case at < 0:
		s.on, s.stale = append(s.on, denied{denial: d, cpu: cpu}), true
	case d.idle > 0:
		s.on[at].denial = d
	default:
		// Its subjects are looked at for the last time.
		s.on[at].denial = denial{d.period, 0}
		k.deny()
		if at = find(); at >= 0 {
			s.on = slices.Delete(s.on, at, at+1)
		}
	}
	k.deny()
}

// deny stops throttled subjects and resumes the others.
func (k *Keeper) deny() {
	s := &k.denials
	if !k.lease.Runs() {
		k.Lift()
		return
	}
	if s.stale {
		k.findThrottled()
	}
	now := clock.Monotonic()
	s.due = Never
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
		for _, e := range t.entries {
			e.pause()
		}
	}
}

// findThrottled finds which subject is on which CPU. A subject that is new on a
// CPU waits for the next change.
func (k *Keeper) findThrottled() {
	k.denials.stale = false
	for i := range k.denials.on {
		t := &k.denials.on[i]
		t.entries = t.entries[:0]
		for _, e := range k.entries {
			if s, ok := e.Subject.(Throttled); ok && slices.Contains(s.On(), t.cpu) {
				t.entries = append(t.entries, e)
			}
		}
	}
}

// Moved says that a subject may run on other CPUs now, and pauses it as these
// say.
func (k *Keeper) Moved(e *Entry) {
	k.denials.stale = true
	e.pause()
}

// Lift ends all throttles.
func (k *Keeper) Lift() {
	s := &k.denials
	s.on, s.due = nil, Never
	clear(s.now[:])
	for _, e := range k.entries {
		e.pause()
	}
}

// pause has the error of the entry say what failed, until the next look.
func (e *Entry) pause() {
	if s, ok := e.Subject.(Throttled); ok {
		if err := s.Pause(); err != nil {
			e.err = err
		}
	}
}
