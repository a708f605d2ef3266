// SPDX-License-Identifier: Apache-2.0

// Package bussim simulates a machine on which policies are tried: cores that
// share one memory bus, simulated request by request and reproducibly. It is
// for tests, and for comparing policies where a real machine's noise would hide
// the difference. Its figures are not those of a real machine.
package bussim

import (
	"slices"
	"time"

	"github.com/vlibos/vlibos/throttle"
)

// Core runs one program.
type Core struct {
	// Think is the mean time between an answer and the next request. Times are
	// distributed uniformly from 0 to twice that.
	Think time.Duration
	// Parallel is the largest number of requests under way; 0 means 1.
	Parallel int
	// Foreground cores are never throttled.
	Foreground bool
	// Service is the program, in place of one that never ends.
	Service *Service
}

// Machine is the simulated machine. It implements [throttle.Source]. Its
// counters have all requests, or only those of foreground cores if Probe is
// set, as with a software probe.
type Machine struct {
	Probe   bool
	service time.Duration
	cores   []core
	now     time.Duration
	free    time.Duration // when the bus is free
	chance  uint64
}

type core struct {
	Core
	ready     []time.Duration // when each of its requests is made
	first     int             // the earliest of them; negative: unknown
	idle      time.Duration   // of each period
	off       bool            // it has no work
	requests  uint64
	occupancy uint64
	serving
}

// New makes a machine whose bus takes service for each request.
func New(service time.Duration, cores ...Core) *Machine {
	m := &Machine{service: service}
	for _, c := range cores {
		m.cores = append(m.cores, core{Core: c, ready: make([]time.Duration, max(c.Parallel, 1))})
	}
	m.Seed(0)
	return m
}

// Seed determines all that is random. It is called before the first period.
func (m *Machine) Seed(seed uint64) {
	m.chance = seed
	for i := range m.cores {
		if c := &m.cores[i]; c.Service != nil {
			c.begin(seed)
		}
	}
}

// Switch starts or stops a core's program.
func (m *Machine) Switch(i int, on bool) {
	c := &m.cores[i]
	c.off, c.first = !on, -1
	for j := range c.ready {
		c.ready[j] = max(c.ready[j], m.now)
	}
}

// Run simulates a period. Background cores stop at its beginning for their idle
// shares, in the order of the foreground's sample.
//
// A machine is used by one goroutine and makes millions of requests. The race
// detector would find nothing, and cost many times the time.
//
//go:norace
func (m *Machine) Run(period time.Duration, idle []float64) {
	begin, end := m.now, m.now+period
	n := 0
	for i := range m.cores {
		c := &m.cores[i]
		c.idle = 0
		if !c.Foreground {
			c.idle = time.Duration(idle[n] * float64(period))
			n++
		}
	}
	for {
		var next *core
		at := end
		for i := range m.cores {
			c := &m.cores[i]
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
		m.free = max(m.free, at) + m.service
		if next.Service == nil {
			next.ready[next.first] = m.free + m.think(next)
		} else {
			next.ready[next.first] = next.access(m.free)
		}
		next.first = -1
		next.requests++
		next.occupancy += uint64(m.free - at)
	}
	m.now = end
}

// think returns a reproducible random time. Cores with fixed times would fall
// into step and never meet.
//
//go:norace
func (m *Machine) think(c *core) time.Duration {
	m.chance = m.chance*6364136223846793005 + 1442695040888963407
	return time.Duration(float64(2*c.Think) * float64(m.chance>>11) / (1 << 53))
}

// Work is the number of requests that a core has made.
func (m *Machine) Work(i int) uint64 { return m.cores[i].requests }

// Name implements throttle.Source.
func (m *Machine) Name() string { return "bussim" }

// Close implements throttle.Source.
func (m *Machine) Close() error { return nil }

// Read implements throttle.Source.
func (m *Machine) Read(c *throttle.Counters) error {
	c.At, c.Scale = m.now, 1
	c.Units, c.CPUs = c.Units[:0], c.CPUs[:0]
	all := throttle.Unit{Width: 48}
	for i := range m.cores {
		if !m.Probe || m.cores[i].Foreground {
			all.Requests += m.cores[i].requests
			all.Occupancy += m.cores[i].occupancy
		}
		if !m.cores[i].Foreground {
			c.CPUs = append(c.CPUs, throttle.CPUCounter{ID: i, Requests: m.cores[i].requests, Width: 64})
		}
	}
	all.Requests &= 1<<48 - 1
	all.Occupancy &= 1<<48 - 1
	c.Units = append(c.Units, all)
	return nil
}
