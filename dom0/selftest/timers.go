// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/internal/clock"
)

const (
	tryTimers = 4000
	tryTimer  = 2 * time.Millisecond
)

// timers measures by how much a real-time thread, which the keeper of budgets is,
// wakes late beside a domain that never sleeps.
func timers(ctx context.Context, s *stage) (Result, error) {
	if _, err := s.make(ctx, "other"); err != nil {
		return Result{}, err
	}
	s.Progress("timers")
	type outcome struct {
		late []time.Duration
		err  error
	}
	done := make(chan outcome)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		var o outcome
		if o.err = keeper.Realtime(); o.err == nil {
			o.late, o.err = lateness(ctx)
		} else {
			o.err = impossible("this process may not have a real-time thread: %w", o.err)
		}
		done <- o
	}()
	o := <-done
	if o.err != nil {
		return Result{}, o.err
	}
	return judgeTimers(o.late, s.Late), nil
}

func lateness(ctx context.Context) (late []time.Duration, err error) {
	for due := clock.Monotonic() + tryTimer; len(late) < tryTimers; due = max(due, clock.Monotonic()) + tryTimer {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		clock.Until(due)
		late = append(late, clock.Monotonic()-due)
	}
	return late, nil
}

// judgeTimers passes timers of which 99 in 100 are no later than the host says that
// its budgets end.
func judgeTimers(late []time.Duration, allowed time.Duration) Result {
	if len(late) == 0 {
		return Result{Verdict: Failed, Reason: "no timer went off"}
	}
	sorted := slices.Sorted(slices.Values(late))
	at := func(percent int) time.Duration { return sorted[(len(sorted)-1)*percent/100] }
	r := Result{Verdict: Passed, Figures: map[string]float64{
		"late_p50_ms": ms(at(50)), "late_p99_ms": ms(at(99)), "late_max_ms": ms(at(100)), "allowed_ms": ms(allowed), "timers": float64(len(late)),
	}}
	r.Reason = fmt.Sprintf("late by %.3f ms (median), %.3f ms (p99), %.3f ms (most); budgets may end %.2f ms late",
		ms(at(50)), ms(at(99)), ms(at(100)), ms(allowed))
	if at(99) > allowed {
		r.Verdict = Failed
	}
	return r
}
