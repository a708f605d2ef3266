// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/rtsched"
)

// The reservation that is tried, and for how long.
const (
	tryBudget  = 20 * time.Millisecond
	tryPeriod  = 100 * time.Millisecond
	tryWindow  = 4 * time.Second
	tryWindows = 10
)

// sample is one reading of the domain on the reservation.
type sample struct {
	at      time.Duration // CLOCK_MONOTONIC, in the middle of the reading
	took    time.Duration
	account host.Usage    // the master's
	counted time.Duration // the hypervisor's or the kernel's
}

// budgets runs two domains that never sleep on one CPU, one of them on a
// reservation, and compares the master's account with what Xen or the kernel
// counted.
func budgets(ctx context.Context, s *stage) (Result, error) {
	d, err := s.make(ctx, "reserved")
	if err != nil {
		return Result{}, err
	}
	if _, err := s.make(ctx, "other"); err != nil {
		return Result{}, err
	}
	m, err := s.master(ctx)
	if err != nil {
		return Result{}, err
	}
	id, err := m.reserve(ctx, d, tryBudget, tryPeriod)
	if errors.Is(err, host.ErrNotAdmitted) {
		return Result{}, impossible("there is no room for the reservation to try: %w", err)
	}
	if err != nil {
		return Result{}, err
	}
	var all []sample
	for i := range tryWindows + 1 {
		if err := sleep(ctx, tryWindow); err != nil {
			return Result{}, err
		}
		s.Progress(fmt.Sprintf("budgets: %d of %d", i, tryWindows))
		r := sample{at: clock.Monotonic()}
		if r.account, err = m.usage(ctx, id); err != nil {
			return Result{}, err
		}
		if r.counted, err = d.cpu(); err != nil {
			return Result{}, err
		}
		end := clock.Monotonic()
		r.at, r.took = (r.at+end)/2, end-r.at
		all = append(all, r)
	}
	return judgeBudgets(all, tryBudget, tryPeriod, s.Late), nil
}

// judgeBudgets judges each window between two samples of a domain that never sleeps,
// beside another. A window has at most one budget more than it has periods, and one
// less. late is by how much the host says that a budget's end may come late.
//
//   - Foreground is at most the budgets of the window, each late.
//   - Foreground is at least nine tenths of the budgets.
//   - The account is what was counted, but for one lateness, a hundredth, and the time
//     that the reading took.
func judgeBudgets(all []sample, budget, period, late time.Duration) Result {
	r := Result{Verdict: Passed, Figures: map[string]float64{
		"budget_ms": ms(budget), "period_ms": ms(period), "windows": float64(len(all) - 1),
		"share_min_percent": math.Inf(1), "share_max_percent": 0, "account_error_max_ms": 0,
	}}
	fail := func(format string, args ...any) {
		if r.Verdict == Passed {
			r.Verdict, r.Reason = Failed, fmt.Sprintf(format, args...)
		}
	}
	for i := 1; i < len(all); i++ {
		a, b := all[i-1], all[i]
		length, slack := b.at-a.at, a.took+b.took
		foreground := b.account.Foreground - a.account.Foreground
		account := foreground + b.account.Background - a.account.Background
		periods := float64(length+slack) / float64(period)
		most := time.Duration((periods + 1) * float64(budget+late))
		least := time.Duration(0.9 * (float64(length-slack)/float64(period) - 1) * float64(budget))
		off := account - (b.counted - a.counted)
		share := 100 * float64(foreground) / float64(length)
		r.Figures["share_min_percent"] = min(r.Figures["share_min_percent"], share)
		r.Figures["share_max_percent"] = max(r.Figures["share_max_percent"], share)
		r.Figures["account_error_max_ms"] = max(r.Figures["account_error_max_ms"], math.Abs(ms(off)))
		switch {
		case foreground > most:
			fail("%v of foreground in %v, and at most %v was reserved", round(foreground), round(length), round(most))
		case foreground < least:
			fail("%v of foreground in %v, and at least %v was reserved", round(foreground), round(length), round(least))
		case max(off, -off) > late+length/100+slack:
			fail("the account says %v of CPU time in %v, and %v was counted", round(account), round(length), round(b.counted-a.counted))
		}
	}
	if len(all) < 2 {
		r.Figures = nil
		fail("there was no window to judge")
	}
	if r.Verdict == Passed {
		r.Reason = fmt.Sprintf("%.1f to %.1f %% of a CPU as foreground, %.0f %% reserved; the account is right within %.1f ms",
			r.Figures["share_min_percent"], r.Figures["share_max_percent"], 100*float64(budget)/float64(period), r.Figures["account_error_max_ms"])
	}
	return r
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// task is the reservation for a domain.
func task(d domain, budget, period time.Duration) host.Reservation {
	return host.Reservation{Task: rtsched.Task{Budget: budget, Period: period}, Holder: host.Holder{Domain: &host.Domain{Name: d.name()}}}
}
