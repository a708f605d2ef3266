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

// levels are what the limits of throttles come from: what was measured in the
// modes without control, in this run.
type levels struct {
	alone   map[string][]float64 // latencies in ns, a look each, by source
	traffic rate                 // of the job, uncontrolled
}

type rate struct{ count, seconds float64 }

const (
	// leastLooks must have been taken before there is a limit.
	leastLooks = 10
	// leastTraffic is how long the job's first traffic is waited for when a
	// measurement is over.
	leastTraffic = 10 * time.Second
	// slow is what nine of ten looks alone do not see.
	slow = 0.9
	// above the median alone a limit is at least this many times: the policy
	// threshold lets go a tenth below its limit, which must be within reach.
	above = 1.15
)

// limit of memory's latency, or of the service's: what the service alone sees
// seldom.
func (l levels) limit(source string) (float64, error) {
	looks := l.alone[source]
	if len(looks) < leastLooks {
		return 0, fmt.Errorf("the source %s has shown %d latencies of the service alone, and %d are needed for a limit: "+
			"measure it alone before, for a second", source, len(looks), leastLooks)
	}
	return max(bench.Quantile(looks, slow), above*bench.Quantile(looks, 0.5)), nil
}

// budget of the job's traffic, a second: as large a part of what it is
// uncontrolled as [capped] is of its CPU.
func (h *Host) budget() (float64, error) {
	switch t := h.levels.traffic; {
	case h.unit() == cpuTime:
		return capped * float64(time.Second), nil
	case t.count > 0:
		return capped * t.count / t.seconds, nil
	}
	return 0, errors.New("the job's traffic is not known, of which the policy rate gives a part: measure it uncontrolled before")
}

// params of a policy, and the note that says them.
func (h *Host) params(policy, source string) (p throttle.Params, note map[string]float64, err error) {
	if policy == "rate" {
		p.Budget, err = h.budget()
		return p, map[string]float64{"budget_" + h.unit() + "_per_s": p.Budget}, err
	}
	p.Threshold, err = h.levels.limit(source)
	return p, map[string]float64{"limit_" + source + "_ns": p.Threshold}, err
}

// lookAlone takes looks at the sources until stop.
func lookAlone(ctx context.Context, h *Host) (stop func() error, err error) {
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

// look at the sources as often as a throttle does, until ctx ends.
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

// lookUncontrolled counts the job's traffic until stop.
func lookUncontrolled(_ context.Context, h *Host) (stop func() error, err error) {
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
		// On a busy machine the job may not have had its CPU in all of the slot.
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
