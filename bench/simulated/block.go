// SPDX-License-Identifier: Apache-2.0

package simulated

import (
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/corunner"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/throttle/bussim"
	"github.com/vlibos/vlibos/throttle/requestlatency"
)

// control is a mode of one job, with what its throttle keeps from block to block.
type control struct {
	mode
	throttle  throttle.Policy // nil is none
	limit     float64         // its latency, in ns
	idle      []float64
	looks     []float64 // latencies in ns that the source had, one a decision
	unhealthy int       // decisions without a usable one
}

// felt is a source in the simulated machine's time.
type felt struct {
	throttle.Source
	machine throttle.Source
	now     throttle.Counters
}

// Read implements throttle.Source.
func (f *felt) Read(c *throttle.Counters) error {
	if err := f.machine.Read(&f.now); err != nil {
		return err
	}
	err := f.Source.Read(c)
	c.At = f.now.At
	return err
}

// block simulates a mode on a machine of its own, whose randomness the seed determines,
// for [corunner.Settle], and measures it for the window that follows.
func (e *experiment) block(c *control, seed uint64, window time.Duration) (b bench.Block, err error) {
	m := bussim.New(turn, bussim.Core{Foreground: true, Service: e.service}, e.job.core)
	m.Probe = true // the job's own queue is no sign that the service suffers
	m.Seed(seed)
	m.Switch(1, c.name != corunner.Alone)
	source := throttle.Source(m)
	if c.felt {
		s, err := requestlatency.Open(e.file, 0.99, []int{1})
		if err != nil {
			return b, err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		source = &felt{Source: s, machine: m}
	}
	var meter throttle.Meter
	if _, err := meter.Take(source); err != nil {
		return b, err
	}
	var work uint64
	for at := time.Duration(0); at < corunner.Settle+window; at += c.period {
		if at == corunner.Settle {
			work = m.Work(1)
		}
		for range c.period / c.stops {
			m.Run(c.stops, c.idle)
		}
		for _, l := range m.Latencies(0) {
			e.answered.Add(1, l)
			if at >= corunner.Settle {
				b.Values = append(b.Values, float64(l)/1e3)
			}
		}
		s, err := meter.Take(source)
		if err != nil {
			return b, fmt.Errorf("source %s: %w", source.Name(), err)
		}
		switch {
		case s.Health == throttle.Good:
			c.looks = append(c.looks, s.Latency)
			if c.throttle != nil {
				c.throttle.Decide(s, c.idle)
			}
		case s.Health != throttle.Quiet && c.throttle != nil: // as throttle.Controller does
			c.unhealthy++
			c.throttle.Reset()
			clear(c.idle)
		}
	}
	b.Work = float64(m.Work(1)-work) / window.Seconds()
	return b, nil
}
