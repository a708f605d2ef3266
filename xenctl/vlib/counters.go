// SPDX-License-Identifier: Apache-2.0

package vlib

import (
	"fmt"
	"time"
)

// CounterKind is which uncore counters a host has.
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

// Counters is one reading. The average memory latency between two, in cycles of
// the unit that counts, is the difference of Occupancy over that of Requests;
// both wrap at 2^Width.
type Counters struct {
	CPU         int // whose package was read
	Kind        CounterKind
	Width       int           // bits; 0: there are none
	Time        time.Duration // Xen's system time of the reading
	Requests    uint64
	Occupancy   uint64
	Misses      uint64 // of the last-level cache, by this CPU
	MissesWidth int    // bits; 0: they are not counted
}

// Counters reads those of the package that a CPU is in. Where there are none,
// that is no error: Kind is CountersNone.
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
