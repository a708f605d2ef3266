// SPDX-License-Identifier: Apache-2.0

package simulated

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/corunner"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/throttle/bussim"
	"github.com/vlibos/vlibos/throttle/requestlatency"
)

// Options are those of the experiment.
type Options struct {
	// Rounds is the number of blocks of each mode. Each round has a seed of its own,
	// after Seed, so that the same requests arrive in all of its modes.
	Rounds int
	Seed   uint64
	// Rate is the number of requests a second.
	Rate     int
	Progress func(string)
}

// Defaults are the options of the command.
var Defaults = Options{Rounds: 40, Seed: 1, Rate: 5000}

// experiment is the service beside a job.
type experiment struct {
	Options
	service  *bussim.Service
	file     string // of the service's latencies
	answered *requestlatency.Writer
	job      job
}

// Run measures the service beside each job, in each mode.
func Run(ctx context.Context, o Options) (records []bench.Record, err error) {
	if o.Rounds < 1 || o.Rate < 1000 || o.Rate > 15000 {
		return nil, fmt.Errorf("%d rounds, %d requests a second: want at least 1, and 1000 to 15000, which the service alone can answer", o.Rounds, o.Rate)
	}
	dir, err := os.MkdirTemp("", "vlibos-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	e := &experiment{Options: o, service: &bussim.Service{Rate: float64(o.Rate), Accesses: recordedTurns}, file: filepath.Join(dir, "felt")}
	for _, ns := range recordedCPU {
		e.service.Think = append(e.service.Think, time.Duration(ns))
	}
	if e.answered, err = requestlatency.Create(e.file); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.answered.Close()) }()
	for _, e.job = range jobs {
		of, err := e.beside(ctx)
		records = append(records, of...)
		if err != nil {
			return records, fmt.Errorf("beside %s: %w", e.job.name, err)
		}
	}
	return records, nil
}

const (
	// calibration is how long the modes without control run before the first round.
	// The limits come from that.
	calibration = 2 * time.Second
	// decisions is how many decisions a throttle makes before the first round, in which
	// it finds its level.
	decisions = 50
	// slow and above are those of a limit: what nine of ten looks at the service alone
	// do not exceed, and at least so much above their median (docs/research/measuring.md).
	slow, above = 0.9, 1.15
)

func (e *experiment) beside(ctx context.Context) ([]bench.Record, error) {
	controls, err := e.calibrate()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, m := range modes {
		names = append(names, m.name)
	}
	n := 0
	progress := func(stage string) { e.Progress("beside " + e.job.name + ", " + stage) }
	rounds, err := bench.MeasureRounds(ctx, e.Seed, e.Rounds, names, progress, func(_ context.Context, name string) (bench.Block, error) {
		n++
		return e.block(controls[name], e.Seed+uint64((n-1)/len(modes)), corunner.Window)
	})
	if rounds.Len() == 0 {
		return nil, err
	}
	return e.records(rounds, controls), err
}

// calibrate returns the modes with their throttles, whose limits and budgets come from the
// modes without control, as in the experiment tail.
func (e *experiment) calibrate() (map[string]*control, error) {
	before := e.Seed - 1
	free, err := e.block(&control{mode: mode{name: corunner.Uncontrolled, period: usual, stops: usual}, idle: []float64{0}}, before, calibration)
	if err != nil {
		return nil, err
	}
	controls := make(map[string]*control)
	for _, m := range modes {
		c := &control{mode: m, idle: []float64{m.idle}}
		controls[m.name] = c
		if m.policy == "" {
			continue
		}
		alone := &control{mode: mode{name: corunner.Alone, period: m.period, stops: m.period, felt: m.felt}, idle: []float64{1}}
		if _, err := e.block(alone, before, calibration); err != nil {
			return nil, err
		}
		c.limit = max(bench.Quantile(alone.looks, slow), above*bench.Quantile(alone.looks, 0.5))
		if c.throttle, err = throttle.New(m.policy, throttle.Params{Threshold: c.limit, Budget: capped * free.Work}); err != nil {
			return nil, err
		}
		if _, err := e.block(c, before, decisions*m.period); err != nil {
			return nil, err
		}
		c.unhealthy = 0
	}
	return controls, nil
}
