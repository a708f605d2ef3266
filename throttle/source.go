// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"errors"
	"time"
)

// ErrNoSource reports that a host lacks what a source needs.
var ErrNoSource = errors.New("no such source of memory latency here")

// Source reads counters of memory requests. One goroutine may use it.
type Source interface {
	// Name is the name of the source, for people and scripts.
	Name() string
	// Read stores the present counters. It reuses the slices of c and does not
	// block.
	Read(c *Counters) error
	// Close frees the resources of the source.
	Close() error
}

// Counters is one reading. Counters start anywhere and wrap.
type Counters struct {
	// At is the time of the reading, since any fixed moment.
	At time.Duration
	// Scale is the nanoseconds in one unit of occupancy.
	Scale float64
	// Units are all counting units, for example one for each memory controller.
	Units []Unit
	// CPUs are those that may be throttled.
	CPUs []CPUCounter
}

// Unit is a pair of counters: requests, and requests under way summed over
// time.
type Unit struct {
	Requests, Occupancy uint64
	Width               int // bits, at most 64; 0: no counters
}

// CPUCounter counts the requests of one CPU.
type CPUCounter struct {
	ID       int
	Requests uint64
	Width    int // bits; 0: not counted
}
