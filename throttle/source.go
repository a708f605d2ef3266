// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"errors"
	"time"
)

// ErrNoSource says that a host does not have what a source counts with.
var ErrNoSource = errors.New("no such source of memory latency here")

// Source reads counters of memory requests. It is for one goroutine.
type Source interface {
	// Name of the source, for people and scripts.
	Name() string
	// Read fills in what the counters say now. It reuses the slices of c,
	// and does not wait for anything.
	Read(c *Counters) error
	// Close frees what the source holds.
	Close() error
}

// Counters is one reading. What counts starts anywhere and wraps.
type Counters struct {
	// At is when it was read, since any fixed moment.
	At time.Duration
	// Scale is nanoseconds in one unit of occupancy.
	Scale float64
	// Units are all that count, for example one a memory controller.
	Units []Unit
	// CPUs are those that may be throttled.
	CPUs []CPUCounter
}

// Unit is a pair of counters: requests, and requests under way summed over time.
type Unit struct {
	Requests, Occupancy uint64
	Width               int // bits, at most 64; 0: there is none
}

// CPUCounter counts the requests of one CPU.
type CPUCounter struct {
	ID       int
	Requests uint64
	Width    int // bits; 0: they are not counted
}
