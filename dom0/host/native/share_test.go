// SPDX-License-Identifier: Apache-2.0

package native

import (
	"slices"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/clock"
)

// A domain with 10 ms in 100 ms beside another that spins on the same CPU, one
// without a reservation and one with another: has a tenth, and in no window of
// its period more.
func TestShare(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		cpu := lastCPU(t, p)
		a, one := start(t, p, "a", spin)
		b, other := start(t, p, "b", spin)
		// As taskset has it, the keeper believes in more CPUs than are used.
		taskset(t, one, cpu)
		taskset(t, other, cpu)
		t.Run("taskset", func(t *testing.T) { share(t, p, 1) })
		t.Run("left alone", func(t *testing.T) { leftAlone(t, p) })
		pin(t, p, a, cpu)
		pin(t, p, b, cpu)
		t.Run("cpuset", func(t *testing.T) { share(t, p, 1) })
		// Use that another reservation puts off comes on top of the next,
		// as with any periodic task.
		adopt(t, p, b, 2, 30*time.Millisecond, 70*time.Millisecond)
		t.Run("two reservations", func(t *testing.T) { share(t, p, 2) })
	})
}

// periods are how many a share is taken of. That no domain has more than its
// budget shows in few; that it has no less, which timed tests check, in more.
func periods() int {
	if timed() {
		return 50
	}
	return 16
}

// leftAlone checks the share of a domain that nobody but the keeper looks at, in
// its own time: between two of its looks a third of a period may pass. What it
// ran in background delays its next foreground by as much, see docs/explanation/keeper.md;
// both together are its budget, or more.
func leftAlone(t *testing.T, p *Host) {
	const budget, period = 30 * time.Millisecond, 100 * time.Millisecond
	const lag = 6 * time.Millisecond // at most two slices: entity_lag in the kernel's fair.c
	d := domain("a")
	adopt(t, p, d, 1, budget, period)
	time.Sleep(2 * period)
	first, begin := usage(t, p, d, 1), clock.Monotonic()
	time.Sleep(time.Duration(periods()) * period)
	last, took := usage(t, p, d, 1), clock.Monotonic()-begin
	share := func(used time.Duration) float64 { return 100 * float64(used) / float64(took) }
	front, back := share(last.Foreground-first.Foreground), share(last.Background-first.Background)
	t.Logf("foreground %.2f %%, background %.2f %%", front, back)
	want, least := 100*float64(budget)/float64(period), 100*float64(budget)/float64(period+lag)
	ends := want / float64(periods()) // both may be in the midst of a budget
	if front > want+ends || timed() && (front < least-ends || front+back < want-ends) {
		t.Errorf("foreground %.2f %%, with background %.2f %%; want %.1f to %.0f, and %.0[4]f", front, front+back, least, want)
	}
	if err := p.Unreserve(ctx, on(d, 1)); err != nil {
		t.Error(err)
	}
}

// share checks that a window has at most so many budgets.
func share(t *testing.T, p *Host, budgets time.Duration) {
	const budget, period = 10 * time.Millisecond, 100 * time.Millisecond
	duration := time.Duration(periods()) * period
	d := domain("a")
	adopt(t, p, d, 1, budget, period)
	defer func() {
		if err := p.Unreserve(ctx, on(d, 1)); err != nil {
			t.Error(err)
		}
	}()
	type sample struct{ at, front time.Duration }
	var samples []sample
	var over []time.Duration
	begin := clock.Monotonic()
	first := usage(t, p, d, 1)
	for clock.Monotonic()-begin < duration {
		time.Sleep(2 * time.Millisecond)
		// With the keeper's own time: this goroutine is put off by those that spin.
		if err := p.k.Do(ctx, func() {
			a := p.k.adopted[d.ID]
			p.k.Look(p.k.Entry(1))
			now := clock.Monotonic()
			samples = append(samples, sample{now, a.Usage(now).Foreground})
			over = append(over, a.Overrun())
		}); err != nil {
			t.Fatal(err)
		}
	}
	last, took := usage(t, p, d, 1), clock.Monotonic()-begin
	var worst, lateness time.Duration
	if err := p.k.Do(ctx, func() { lateness = p.k.Lateness() }); err != nil {
		t.Fatal(err)
	}
	from := 0
	for _, s := range samples {
		for samples[from].at < s.at-period {
			from++
		}
		worst = max(worst, s.front-samples[from].front)
	}
	front := 100 * float64(last.Foreground-first.Foreground) / float64(took)
	back := 100 * float64(last.Background-first.Background) / float64(took)
	over = slices.Compact(slices.DeleteFunc(over, func(o time.Duration) bool { return o == 0 }))
	slices.Sort(over)
	var most time.Duration
	if len(over) > 0 {
		most = over[len(over)-1]
		t.Logf("overshoot of %d depletions: median %v, 90 %% %v, most %v", len(over), over[len(over)/2], over[len(over)*9/10], most)
	}
	_, late := p.Floor()
	t.Logf("foreground %.2f %%, background %.2f %%, most in a window of %v: %v", front, back, period, worst)
	t.Logf("the keeper was at most %v late", lateness)
	// The first period is at once, and the last may have begun.
	if want := 100 * float64(budget) / float64(period); front > want+1 || timed() && front < want-1 {
		t.Errorf("foreground %.2f %%, want %.0f", front, want)
	}
	// An overshoot is paid back, in a later window.
	if limit := budgets*budget + late + lateness + most; worst > limit {
		t.Errorf("%v of foreground in a window of %v, want at most %v", worst, period, limit)
	}
}
