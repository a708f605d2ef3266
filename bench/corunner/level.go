// SPDX-License-Identifier: Apache-2.0

package corunner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/throttle"
)

// levels determine the limits of throttles. They are measured in this run, in
// the modes without control.
type levels struct {
	alone   map[string][]float64 // latencies in ns, one a reading, by source
	traffic rate                 // of the job, uncontrolled
}

type rate struct{ count, seconds float64 }

const (
	// leastLooks is the number of readings that a limit needs.
	leastLooks = 10
	// leastTraffic is how long to wait for the job's first traffic after a
	// measurement.
	leastTraffic = 10 * time.Second
	// slow is the quantile of the latencies alone that a limit exceeds.
	slow = 0.9
	// above is the least ratio of a limit to the median alone. The policy
	// threshold releases a tenth below its limit, and that must be reachable.
	above = 1.15
)

// limit returns the limit of memory's or the service's latency: a value that the
// service alone seldom sees.
func (l levels) limit(source string) (float64, error) {
	looks := l.alone[source]
	if len(looks) < leastLooks {
		return 0, fmt.Errorf("the source %s has %d latencies of the service alone, and a limit needs %d: "+
			"measure the service alone first, for a second", source, len(looks), leastLooks)
	}
	return max(bench.Quantile(looks, slow), above*bench.Quantile(looks, 0.5)), nil
}

// budget returns the job's traffic budget per second. It is the same part of the
// uncontrolled traffic as [capped] is of the job's CPU.
func (h *Machine) budget() (float64, error) {
	switch t := h.levels.traffic; {
	case h.unit() == cpuTime:
		return capped * float64(time.Second), nil
	case t.count > 0:
		return capped * t.count / t.seconds, nil
	}
	return 0, errors.New("the policy rate needs the job's uncontrolled traffic: measure the mode uncontrolled first")
}

// params returns the parameters of a policy, and the raw numbers that record
// them.
func (h *Machine) params(policy, source string) (p throttle.Params, note map[string]float64, err error) {
	if policy == "rate" {
		p.Budget, err = h.budget()
		return p, map[string]float64{"budget_" + h.unit() + "_per_s": p.Budget}, err
	}
	p.Threshold, err = h.levels.limit(source)
	return p, map[string]float64{"limit_" + source + "_ns": p.Threshold}, err
}

// lookAlone reads the sources until stop is called.
func lookAlone(ctx context.Context, h *Machine) (stop func() error, err error) {
	sources := []throttle.Source{unclosed{h.source}}
	if h.Felt != "" {
		felt, err := h.openFelt()
		if err != nil {
			return nil, err
		}
		sources = append(sources, felt)
	}
	if h.levels.alone == nil {
		h.levels.alone = make(map[string][]float64)
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- h.levels.look(ctx, sources) }()
	return func() error {
		cancel()
		err := <-done
		for _, s := range sources {
			err = errors.Join(err, s.Close())
		}
		return err
	}, nil
}

// look reads the sources as often as a throttle does, until ctx ends.
func (l levels) look(ctx context.Context, sources []throttle.Source) error {
	meters := make([]throttle.Meter, len(sources))
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		for i, s := range sources {
			sample, err := meters[i].Take(s)
			if err != nil {
				return fmt.Errorf("source %s: %w", s.Name(), err)
			}
			if sample.Health == throttle.Good {
				l.alone[s.Name()] = append(l.alone[s.Name()], sample.Latency)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// lookUncontrolled counts the job's traffic until stop is called.
func lookUncontrolled(_ context.Context, h *Machine) (stop func() error, err error) {
	if h.unit() == cpuTime {
		return func() error { return nil }, nil
	}
	source := &counted{Source: unclosed{h.source}, host: h}
	var m throttle.Meter
	if _, err := m.Take(source); err != nil {
		return nil, err
	}
	return func() error {
		t := &h.levels.traffic
		// On a busy machine the job may have lacked its CPU during the slot.
		for end := time.Now().Add(leastTraffic); ; time.Sleep(period) {
			s, err := m.Take(source)
			if err == nil && s.Traffic == throttle.Counted {
				t.count += s.CPUs[0].Traffic * s.Span.Seconds()
				t.seconds += s.Span.Seconds()
			}
			if err != nil || t.count > 0 || time.Now().After(end) {
				return err
			}
		}
	}, nil
}
