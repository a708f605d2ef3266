// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"time"

	"github.com/vlibos/vlibos/internal/clock"
)

// Throttle implements host.Host. Domains are stopped by the freezer: bandwidth
// limits of cgroups take effect at ticks, which are 1 to 10 ms apart, and the
// freezer within 50 microseconds.
func (p *Host) Throttle(ctx context.Context, cpu int, period, idle time.Duration) error {
	return p.k.Throttle(ctx, cpu, period, idle)
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

// On implements [keeper.Throttled].
func (d *adopted) On() []int { return d.on }

// Pause implements [keeper.Throttled].
func (d *adopted) Pause() error { return gone(d.pause()) }

func (d *adopted) pause() error {
	return d.setPaused(!d.foreground && !d.spared && d.k.Denies(d.on))
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
