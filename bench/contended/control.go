// SPDX-License-Identifier: Apache-2.0

package contended

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/vlibos/vlibos/throttle/model"
)

const (
	// throttlePeriod is what the idle share is of.
	throttlePeriod = 10 * time.Millisecond
	// fewRequests say nothing about latency.
	fewRequests = 20
	// lease bounds how long a throttle outlasts this program.
	lease = 2 * time.Second
)

// startControl controls until stop, which returns the average idle share.
func (x *host) startControl(ctx context.Context) (stop func() (float64, error)) {
	type outcome struct {
		idle float64
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan outcome, 1)
	go func() {
		idle, err := x.control(ctx, x.controller())
		ended <- outcome{idle, err}
	}()
	return func() (float64, error) {
		cancel()
		o := <-ended
		return o.idle, o.err
	}
}

// control throttles the other's CPU as the controller decides, until ctx ends,
// and returns the average idle share.
func (x *host) control(ctx context.Context, c controller) (average float64, err error) {
	if err := x.module.Lease(lease); err != nil {
		return 0, err
	}
	defer func() {
		err = errors.Join(err, x.module.Throttle(batchCPU, throttlePeriod, 0), x.module.Lease(0))
	}()
	before, err := traffic(x.bus)
	if err != nil {
		return 0, err
	}
	tick := time.NewTicker(x.controlPeriod())
	defer tick.Stop()
	renewed := time.Now()
	var set, sum float64
	for n := 1.0; ; n++ {
		select {
		case <-ctx.Done():
			return sum / n, nil
		case <-tick.C:
		}
		now, err := traffic(x.bus)
		if err != nil {
			return 0, err
		}
		since := now.Since(before)
		before = now
		if since.Requests < fewRequests {
			since = model.Counters{}
		}
		idle := c.decide(since.Latency())
		sum += idle
		// A hypercall costs as much as the whole decision.
		if idle != set && (math.Abs(idle-set) >= 0.05 || idle == 0 || idle == 1) {
			set = idle
			if err := x.module.Throttle(batchCPU, throttlePeriod, time.Duration(idle*float64(throttlePeriod))); err != nil {
				return 0, err
			}
		}
		if time.Since(renewed) > lease/4 {
			renewed = time.Now()
			if err := x.module.Lease(lease); err != nil {
				return 0, err
			}
		}
	}
}

// traffic is the sum of all CPUs' counters.
func traffic(b *model.Bus) (sum model.Counters, err error) {
	for cpu := range b.CPUs() {
		c, err := b.Read(cpu)
		if err != nil {
			return sum, err
		}
		sum = sum.Add(c)
	}
	return sum, nil
}
