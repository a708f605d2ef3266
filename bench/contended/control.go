// SPDX-License-Identifier: Apache-2.0

package contended

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/vlibos/vlibos/dom0/host/module"
	"github.com/vlibos/vlibos/dom0/memory/throttling"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/throttle/model"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

const (
	// controlPeriod is in the paper's time. Dom0 has one CPU, and the task
	// has the highest priority there: most decisions fall between its jobs.
	controlPeriod = 10 * time.Millisecond
	// limitRatio is above the latency without queueing, and below the 1.15
	// times that the other causes: it is on the bus for a fifth of its time.
	limitRatio = 1.05
	// lease limits how long a throttle outlasts this program.
	lease = 2 * time.Second
)

func (e Experiment) controlPeriod() time.Duration { return time.Duration(e.Scale) * controlPeriod }

// policy is for a source with that many units in a nanosecond.
func (e Experiment) policy(units float64) (throttle.Policy, error) {
	return throttle.New(e.Policy, throttle.Params{Threshold: limitRatio * float64(e.Service) * units})
}

// units are those of the emulated processors' counters in a nanosecond
// (lab/processor/emulator/models.c).
var units = map[vlib.CounterKind]float64{vlib.CountersIntelARB: 2, vlib.CountersIntelCHA: 2, vlib.CountersAMDL3: 0.1}

// source opens what the throttle reads, and says how many of its units are a
// nanosecond.
func (x *machine) source() (throttle.Source, float64, error) {
	if x.Processor == "" {
		s, err := model.OpenSource([]int{batchCPU})
		return s, 1, err
	}
	c, err := x.module.Counters(batchCPU)
	if err != nil {
		return nil, 0, err
	}
	s, err := module.Latency(x.module, c.Kind, []int{batchCPU})
	return s, units[c.Kind], err
}

// throttler adapts the module to the master's loop.
type throttler struct{ *vlib.Module }

func (m throttler) Throttle(_ context.Context, cpu int, period, idle time.Duration) error {
	return m.Module.Throttle(cpu, period, idle)
}

// startControl runs the master's own throttle loop on the other's CPU until
// stop is called.
func (x *machine) startControl(ctx context.Context) (stop func() error, err error) {
	source, units, err := x.source()
	if err != nil {
		return nil, err
	}
	policy, err := x.policy(units)
	if err != nil {
		return nil, errors.Join(err, source.Close())
	}
	if err := x.module.Lease(lease); err != nil {
		return nil, errors.Join(err, source.Close())
	}
	task, _ := x.Periods()
	loop := throttling.New(throttling.Options{
		Period: x.controlPeriod(), Source: source, Policy: policy, Host: throttler{x.module},
		Limit: task,
		Log:   slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	ctx, cancel := context.WithCancel(ctx)
	var both sync.WaitGroup
	var ran, renewed error
	both.Go(func() { ran = loop.Run(ctx) })
	both.Go(func() { renewed = x.renew(ctx) })
	return func() error {
		cancel()
		both.Wait()
		return errors.Join(ran, renewed, x.module.Lease(0))
	}, nil
}

// renew renews the lease until ctx ends.
func (x *machine) renew(ctx context.Context) error {
	tick := time.NewTicker(lease / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := x.module.Lease(lease); err != nil {
			return err
		}
	}
}
