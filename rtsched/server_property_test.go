// SPDX-License-Identifier: Apache-2.0

package rtsched

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func between(t *rapid.T, low, high time.Duration, label string) time.Duration {
	return time.Duration(rapid.Int64Range(int64(low), int64(high)).Draw(t, label))
}

// After any operation at any time, a server's amounts add up to its budget, and
// waking it neither adds nor removes budget.
func TestBudgetIsConserved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		period := between(t, 1, 10*ms, "period")
		now := between(t, -ms, ms, "now")
		s := NewServer(between(t, 1, period, "budget"), period, now)
		t.Repeat(map[string]func(*rapid.T){
			"charge": func(t *rapid.T) { s.Charge(between(t, 0, 3*s.budget, "used")) },
			"wake": func(t *rapid.T) {
				at := now + between(t, -3*s.period, 3*s.period, "at")
				left := s.Left(at)
				s.Wake(at)
				if s.Left(at) != left || left > 0 && s.Next() < at {
					t.Fatalf("%v became %v: %+v", left, s.Left(at), *s)
				}
			},
			"change": func(t *rapid.T) {
				old := *s
				period := between(t, 1, 10*ms, "period")
				budget := between(t, 1, period, "budget")
				s.Change(budget, period, now)
				if s.budget != budget || s.period != period || s.Left(now+period) != budget {
					t.Fatalf("a refill is lost: %+v", *s)
				}
				if old.Left(now) == old.budget {
					return
				}
				for at := now; at < now+period; at += period/16 + 1 {
					if s.Left(at) > old.Left(at) {
						t.Fatalf("at %v it has %v, and had %v", at, s.Left(at), old.Left(at))
					}
				}
			},
			"time": func(t *rapid.T) { now += between(t, 0, s.period, "passes") },
			"":     func(t *rapid.T) { valid(t, s) },
		})
	})
}

type span struct{ from, to time.Duration }

// usedWithin is the part of the spans between from and to.
func usedWithin(spans []span, from, to time.Duration) time.Duration {
	var sum time.Duration
	for _, u := range spans {
		sum += max(0, min(u.to, to)-max(u.from, from))
	}
	return sum
}

// A task runs as soon as it is ready and has budget, and each time up to an
// overrun too long. No window of a period sees more than the budget and two
// overruns: one carried into the window, one at its end.
func TestNoWindowSeesMoreThanBudgetAndOverruns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := between(t, 0, ms, "now")
		period := between(t, 1000, 10*ms, "period")
		s := NewServer(between(t, 100, period/2, "budget"), period, now)
		most := rapid.SampledFrom([]time.Duration{0, 50}).Draw(t, "most")
		var overrun time.Duration
		var spans []span
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "sleeps") {
				now += between(t, 0, rapid.SampledFrom([]time.Duration{period / 9, period}).Draw(t, "up to"), "sleep")
				s.Wake(now)
				valid(t, s)
			}
			left := s.Left(now)
			if left == 0 {
				if s.Next() <= now {
					t.Fatalf("there is no later refill: %+v", *s)
				}
				now = s.Next()
				continue
			}
			used := left
			if rapid.Bool().Draw(t, "all") {
				over := between(t, 0, most, "over")
				overrun = max(overrun, over)
				used += over
			} else {
				used = between(t, 1, left, "used")
			}
			spans = append(spans, span{now, now + used})
			now += used
			s.Charge(used)
			valid(t, s)
			// The window that ends here; any other one ends outside of use, or
			// earlier.
			if sum := usedWithin(spans, now-period, now); sum > s.budget+2*overrun {
				t.Fatalf("%v in the %v up to %v, overrun %v: %+v", sum, period, now, overrun, *s)
			}
		}
	})
}

// A task that is always ready, and that others delay in each period for all but
// a budget's length, gets the budget in each period.
func TestDelayedTaskGetsItsBudgetInEachPeriod(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		period := between(t, 2, ms, "period")
		budget := between(t, 1, period, "budget")
		s := NewServer(budget, period, 0)
		for k := range rapid.IntRange(1, 30).Draw(t, "periods") {
			now, end := time.Duration(k)*period, time.Duration(k+1)*period
			off, used := period-budget, time.Duration(0)
			for now < end {
				wait := between(t, 0, off, "put off")
				off -= wait
				now += wait
				part := between(t, 1, budget, "offered")
				if off == 0 {
					part = budget
				}
				if part = min(part, budget-used); part > s.Left(now) {
					t.Fatalf("%v of %v in period %d, and %v left: %+v", used, budget, k, s.Left(now), *s)
				}
				s.Charge(part)
				now += part
				used += part
				if used == budget {
					now = end
				}
			}
			if used != budget {
				t.Fatalf("%v of %v in period %d", used, budget, k)
			}
			if left := s.Left(end - 1); left != 0 {
				t.Fatalf("%v more in period %d", left, k)
			}
		}
	})
}

// A task runs while there is budget, plus an overrun each time: its share is
// exact.
func TestShareIsExact(t *testing.T) {
	for _, tt := range []struct {
		budget, period, over time.Duration
		periods              time.Duration
	}{
		{2 * ms, 10 * ms, 50 * us, 1000},
		{2 * ms, 10 * ms, 0, 1000},
		{20 * us, 200 * us, 49 * us, 10000},
		{10 * ms, 10 * ms, 0, 100},
		{7, 1000, 6, 10000},
	} {
		s := NewServer(tt.budget, tt.period, 0)
		var now, sum time.Duration
		for now < tt.periods*tt.period {
			left := s.Left(now)
			if left == 0 {
				now = s.Next()
				continue
			}
			s.Charge(left + tt.over)
			valid(t, s)
			now += left + tt.over
			sum += left + tt.over
		}
		if due := tt.periods * tt.budget; sum < due || sum > due+tt.over {
			t.Errorf("%+v: %v, and %v is due", tt, sum, due)
		}
	}
}
