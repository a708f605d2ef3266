// SPDX-License-Identifier: Apache-2.0

// Package plant is a machine to try policies on: cores that share one memory
// bus, request by request, the same each time. It is for tests and for comparing
// policies where no real machine can be told from its neighbours; its numbers
// are no real machine's.
package plant

import (
	"slices"
	"time"

	"github.com/vlibos/vlibos/throttle"
)

// Core runs one program.
type Core struct {
	// Think is the mean time between an answer and the next request; the
	// times are spread evenly from 0 to twice that.
	Think time.Duration
	// Parallel is how many requests it has under way at most; 0 is 1.
	Parallel int
	// Foreground: it is never throttled.
	Foreground bool
}

// Plant is the machine. It implements [throttle.Source], whose counters have
// all requests, or those of foreground cores if Probe is set: what a software
// probe sees.
type Plant struct {
	Probe   bool
	service time.Duration
	cores   []core
	now     time.Duration
	free    time.Duration // when the bus is
	chance  uint64
}

type core struct {
	Core
	ready     []time.Duration // when each of its requests is made
	first     int             // the earliest of them; negative: to be found
	idle      time.Duration   // of each period
	off       bool            // it has nothing to do
	requests  uint64
	occupancy uint64
}

// New makes a machine whose bus serves one request in that time.
func New(service time.Duration, cores ...Core) *Plant {
	p := &Plant{service: service}
	for _, c := range cores {
		p.cores = append(p.cores, core{Core: c, ready: make([]time.Duration, max(c.Parallel, 1))})
	}
	return p
}

// Switch lets a core run its program, or stop.
func (p *Plant) Switch(i int, on bool) {
	c := &p.cores[i]
	c.off, c.first = !on, -1
	for j := range c.ready {
		c.ready[j] = max(c.ready[j], p.now)
	}
}

// Run lets a period pass. Cores in background stop at its begin for their idle
// shares, in the order of the foreground's sample.
//
// A plant is one goroutine's, and makes millions of requests: there is nothing
// for the race detector to find, at many times the price.
//
//go:norace
func (p *Plant) Run(period time.Duration, idle []float64) {
	begin, end := p.now, p.now+period
	n := 0
	for i := range p.cores {
		c := &p.cores[i]
		c.idle = 0
		if !c.Foreground {
			c.idle = time.Duration(idle[n] * float64(period))
			n++
		}
	}
	for {
		var next *core
		at := end
		for i := range p.cores {
			c := &p.cores[i]
			if c.off {
				continue
			}
			if c.first < 0 {
				c.first = slices.Index(c.ready, slices.Min(c.ready))
			}
			if r := max(c.ready[c.first], begin+c.idle); r < at {
				next, at = c, r
			}
		}
		if next == nil {
			break
		}
		p.free = max(p.free, at) + p.service
		next.ready[next.first] = p.free + p.think(next)
		next.first = -1
		next.requests++
		next.occupancy += uint64(p.free - at)
	}
	p.now = end
}

// think is drawn from a generator that gives the same each time. Without it,
// cores with fixed times fall into step and never meet.
//
//go:norace
func (p *Plant) think(c *core) time.Duration {
	p.chance = p.chance*6364136223846793005 + 1442695040888963407
	return time.Duration(float64(2*c.Think) * float64(p.chance>>11) / (1 << 53))
}

// Work is how many requests a core has made.
func (p *Plant) Work(i int) uint64 { return p.cores[i].requests }

// Name implements throttle.Source.
func (p *Plant) Name() string { return "plant" }

// Close implements throttle.Source.
func (p *Plant) Close() error { return nil }

// Read implements throttle.Source.
func (p *Plant) Read(c *throttle.Counters) error {
	c.At, c.Scale = p.now, 1
	c.Units, c.CPUs = c.Units[:0], c.CPUs[:0]
	all := throttle.Unit{Width: 48}
	for i := range p.cores {
		if !p.Probe || p.cores[i].Foreground {
			all.Requests += p.cores[i].requests
			all.Occupancy += p.cores[i].occupancy
		}
		if !p.cores[i].Foreground {
			c.CPUs = append(c.CPUs, throttle.CPUCounter{ID: i, Requests: p.cores[i].requests, Width: 64})
		}
	}
	all.Requests &= 1<<48 - 1
	all.Occupancy &= 1<<48 - 1
	c.Units = append(c.Units, all)
	return nil
}
