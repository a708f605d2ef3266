// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package scheduling

import (
	"math"
	"testing"
	"time"

	"github.com/vlibos/vlibos/xenctl/vlib"
)

const ms = time.Millisecond

// near fails unless got is within tolerance of want, all in per cent.
func near(h *machine, what string, got, want, tolerance float64) {
	h.Helper()
	h.Logf("%s: %.3f %%, want %.1f ± %.1f", what, got, want, tolerance)
	if math.Abs(got-want) > tolerance {
		h.Errorf("%s: %.3f %%, want %.1f ± %.1f", what, got, want, tolerance)
	}
}

func percent(part, whole time.Duration) float64 { return 100 * float64(part) / float64(whole) }

// Of two spinning domains, one has a reservation. It has its budget in foreground, and both
// have half of the remaining time.
func TestReservationIsForegroundAndTheRestIsShared(t *testing.T) {
	h := newMachine(t)
	h.reserve(1, 2*ms, 10*ms)
	h.adopt(1, 1)
	h.spin(1)
	h.spin(2)
	for _, c := range []struct {
		period    time.Duration
		tolerance float64 // a second may contain one more budget
	}{{10 * ms, 0.2}, {5 * ms, 0.2}, {50 * ms, 1}} {
		period := c.period
		h.must(h.Reserve(1, period/5, period))
		time.Sleep(2 * period)
		start, before, cpu := h.now(), h.account(1), h.cpu(guestCPU)
		own, other := h.cpuTime(1), h.cpuTime(2)
		time.Sleep(time.Second)
		after, now := h.account(1), h.cpu(guestCPU)
		own, other = h.cpuTime(1)-own, h.cpuTime(2)-other
		elapsed := h.now() - start
		foreground := after.Total.Foreground - before.Total.Foreground
		background := after.Total.Background - before.Total.Background
		h.Logf("period %v, %v: foreground %v background %v, Xen says %v and %v; decisions %d, overrun %v",
			period, elapsed, foreground, background, own, other, now.Decisions-cpu.Decisions, now.Overrun)
		near(h, "foreground", percent(foreground, elapsed), 20, c.tolerance)
		near(h, "background of the first", percent(background, elapsed), 40, 1)
		near(h, "the other", percent(other, elapsed), 40, 1)
		near(h, "charged of what Xen counted", percent(foreground+background, own), 100, 1)
		if now.Overrun > 60*time.Microsecond {
			h.Errorf("a budget was overrun by %v, want at most 60 µs", now.Overrun)
		}
	}
}

// A throttle denies background time and nothing else.
func TestThrottleDeniesBackgroundTimeOnly(t *testing.T) {
	h := newMachine(t)
	h.reserve(1, 2*ms, 10*ms)
	h.adopt(1, 1)
	h.spin(1)
	h.spin(2)
	h.must(h.Throttle(guestCPU, 10*ms, 5*ms))
	defer h.Throttle(guestCPU, 0, 0)
	time.Sleep(20 * ms)
	start, before, cpu, other := h.now(), h.account(1), h.cpu(guestCPU), h.cpuTime(2)
	time.Sleep(time.Second)
	after, now := h.account(1), h.cpu(guestCPU)
	elapsed := h.now() - start
	near(h, "foreground", percent(after.Total.Foreground-before.Total.Foreground, elapsed), 20, 0.2)
	idle := percent(now.Idle-cpu.Idle, elapsed)
	background := percent(now.Background-cpu.Background, elapsed)
	h.Logf("the other: %.2f %%, idle %.2f %%, denied %.2f %%", percent(h.cpuTime(2)-other, elapsed), idle, percent(now.Denied-cpu.Denied, elapsed))
	// The replenishments determine how much of the budget falls into the denied half.
	near(h, "idle and foreground in the denied half", idle+20, 50, 20.5)
	if background > 50.5 {
		h.Errorf("background time %.2f %% with half of each period denied", background)
	}
	if after.Total.Throttled == before.Total.Throttled {
		h.Error("no throttled time was noted")
	}
}

// Short stops take as much as long ones.
func TestThrottleIsExactWithShortStops(t *testing.T) {
	h := newMachine(t)
	h.spin(1)
	h.spin(2)
	for _, period := range []time.Duration{10 * ms, ms} {
		h.must(h.Throttle(guestCPU, period, 3*period/10))
		time.Sleep(20 * ms)
		start, before := h.now(), h.cpu(guestCPU)
		time.Sleep(time.Second)
		elapsed, now := h.now()-start, h.cpu(guestCPU)
		h.Logf("30 %% of each %v: %d decisions", period, now.Decisions-before.Decisions)
		near(h, "idle", percent(now.Idle-before.Idle, elapsed), 30, 1)
	}
	h.must(h.Throttle(guestCPU, 0, 0))
}

// A full throttle takes no background time from a critical domain, and all of another
// domain's.
func TestThrottleSparesCriticalDomains(t *testing.T) {
	h := newMachine(t)
	h.spin(1)
	h.spin(2)
	h.must(h.SetDomain(1, vlib.Critical, 0))
	defer func() { h.must(h.SetDomain(1, 0, vlib.Critical)) }()
	h.must(h.Throttle(guestCPU, 10*ms, 10*ms))
	defer h.Throttle(guestCPU, 0, 0)
	time.Sleep(20 * ms)
	start, own, other := h.now(), h.cpuTime(1), h.cpuTime(2)
	time.Sleep(200 * ms)
	elapsed := h.now() - start
	near(h, "the critical one", percent(h.cpuTime(1)-own, elapsed), 100, 1)
	near(h, "the other", percent(h.cpuTime(2)-other, elapsed), 0, 1)
	h.must(h.SetDomain(1, 0, vlib.Critical))
	start, own = h.now(), h.cpuTime(1)
	time.Sleep(200 * ms)
	near(h, "not critical any more", percent(h.cpuTime(1)-own, h.now()-start), 0, 1)
}
