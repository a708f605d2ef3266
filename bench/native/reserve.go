// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

// The measurements of reservations of threads. Their calls use as much CPU time
// as the caller uses between them.
const (
	burnt     = 50 * time.Microsecond
	paidCalls = 10000

	// For the overshoot: the budget, and how many times it must end in each
	// repeat.
	overBudget = 10 * time.Millisecond
	overPeriod = 100 * time.Millisecond
	overEnds   = 14
	// For wake-ups: a budget that never ends.
	wakeBudget = 4 * time.Second
	wakePeriod = 10 * time.Second
)

// burn uses CPU time of the calling thread.
func burn(d time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for end := clock.Thread() + d; clock.Thread() < end; {
	}
}

// reserve puts this process on reservations that pay for its calls to a peer,
// which is a domain. A third process is the daemon's part.
func (c *client) reserve(ctx context.Context, o Options) (_ []bench.Record, err error) {
	k, err := c.startKeeper(o)
	if err != nil {
		return nil, err
	}
	if k == nil {
		fmt.Fprintln(os.Stderr, "reserve: left out: it needs root and cgroups")
		return nil, nil
	}
	defer func() { err = errors.Join(err, k.close()) }()
	overshoot, err := k.overshoot(ctx, overEnds*o.Repeats)
	if err != nil {
		return nil, err
	}
	wakeups, err := k.wakeups(ctx)
	if err != nil {
		return nil, err
	}
	return []bench.Record{overshoot, wakeups}, nil
}

// open makes a reservation and opens the channel that it pays for.
func (k *keeping) open(ctx context.Context, id int, budget, period time.Duration) (*vlibcall.Channel, error) {
	if err := k.ask("reserve", id, os.Getpid(), int64(budget), int64(period), k.domain); err != nil {
		return nil, err
	}
	return vlibcall.Open(ctx, native.Domain(filepath.Join(k.dir, k.domain)), vlibcall.Options{Port: portBlock, Size: smallChannel, Wait: vlibcall.Block, Reservation: transport.Reservation(id)})
}

// overshoot measures by how much both sides together exceeded a budget when its
// end was noticed.
func (k *keeping) overshoot(ctx context.Context, ends int) (r bench.Record, err error) {
	c, err := k.open(ctx, 1, overBudget, overPeriod)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, c.Close(), k.ask("unreserve", 1)) }()
	calls := 0
	var over []float64
	for calls < paidCalls || len(over) < ends {
		for range paidCalls / 10 {
			burn(burnt)
			if _, err := c.Call(ctx, library, functionBurn, nil, nil); err != nil {
				return r, err
			}
			calls++
		}
		if over, err = k.numbers("overruns"); err != nil {
			return r, err
		}
	}
	r = bench.Record{
		Name: "reserve.overshoot.p99", Value: bench.Quantile(over, 0.99) / 1e3, Unit: "µs",
		Target: bench.Goal(max(overBudget.Seconds()*1e6/100, 100)), Better: bench.Lower,
		Raw: map[string]float64{
			"calls": float64(calls), "budget_ends": float64(len(over)),
			"budget_us": overBudget.Seconds() * 1e6, "period_us": overPeriod.Seconds() * 1e6,
			"p99.9_us": bench.Quantile(over, 0.999) / 1e3, "max_us": bench.Quantile(over, 1) / 1e3,
		},
	}
	for i := range over {
		over[i] /= 1e3
	}
	bench.Spread(r.Raw, "over_us", over)
	return r, nil
}

// wakeups measures how often a call wakes the daemon's process.
func (k *keeping) wakeups(ctx context.Context) (r bench.Record, err error) {
	c, err := k.open(ctx, 2, wakeBudget, wakePeriod)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, c.Close(), k.ask("unreserve", 2)) }()
	switches := func(f func() error) (n float64, took time.Duration, err error) {
		before, err := k.numbers("switches")
		if err != nil {
			return 0, 0, err
		}
		begin := time.Now()
		if err := f(); err != nil {
			return 0, 0, err
		}
		took = time.Since(begin)
		after, err := k.numbers("switches")
		if err != nil {
			return 0, 0, err
		}
		return after[0] - before[0], took, nil
	}
	calling, took, err := switches(func() error {
		for range paidCalls {
			if _, err := c.Call(ctx, library, functionEcho, message[:], nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	resting, rested, err := switches(func() error { time.Sleep(took); return nil })
	if err != nil {
		return r, err
	}
	return bench.Record{
		Name: "reserve.wakeups", Value: (calling - resting*took.Seconds()/rested.Seconds()) / paidCalls, Unit: "wake-ups/call",
		Target: bench.Goal(0.001), Better: bench.Lower,
		Raw: map[string]float64{
			"calls": paidCalls, "switches_calling": calling, "switches_resting": resting, "calling_ms": took.Seconds() * 1e3,
		},
	}, nil
}

// numbers returns the numbers in the keeper's answer to a command.
func (k *keeping) numbers(command string) ([]float64, error) {
	text, err := k.say(command)
	if err != nil {
		return nil, err
	}
	var all []float64
	for word := range strings.FieldsSeq(text) {
		v, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not a number", command, word)
		}
		all = append(all, v)
	}
	return all, nil
}
