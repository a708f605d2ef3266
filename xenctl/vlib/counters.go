// SPDX-License-Identifier: Apache-2.0

package vlib

import (
	"fmt"
	"time"
)

// CounterKind is the kind of a host's uncore counters.
type CounterKind uint32

// The kinds.
const (
	CountersNone     CounterKind = 0
	CountersIntelARB CounterKind = 1
	CountersIntelCHA CounterKind = 2
	CountersAMDL3    CounterKind = 3
)

func (k CounterKind) String() string {
	switch k {
	case CountersNone:
		return "none here"
	case CountersIntelARB:
		return "Intel ARB"
	case CountersIntelCHA:
		return "Intel CHA"
	case CountersAMDL3:
		return "AMD L3"
	}
	return fmt.Sprintf("kind %d", uint32(k))
}

// Counters is one reading. The average memory latency between two readings, in
// cycles of the counting unit, is the difference of Occupancy divided by that
// of Requests. Both wrap at 2^Width.
type Counters struct {
	CPU         int // its package was read
	Kind        CounterKind
	Width       int           // bits; 0: no counters
	Time        time.Duration // Xen's system time of the reading
	Requests    uint64
	Occupancy   uint64
	Misses      uint64 // of this CPU in the last-level cache
	MissesWidth int    // bits; 0: not counted
}

// Counters reads the counters of a CPU's package. Their absence is not an
// error: Kind is CountersNone.
func (m *Module) Counters(cpu int) (Counters, error) {
	op := rawCounters{cpu: uint32(cpu)}
	if err := structure(m, opGetCounters, &op); err != nil {
		return Counters{}, cpuError("read the counters of", cpu, aboutCPU, err)
	}
	return op.public(), nil
}

func (c rawCounters) public() Counters {
	return Counters{
		CPU: int(c.cpu), Kind: CounterKind(c.kind), Width: int(c.width), Time: time.Duration(c.time),
		Requests: c.requests, Occupancy: c.occupancy, Misses: c.misses, MissesWidth: int(c.missesWidth),
	}
}
