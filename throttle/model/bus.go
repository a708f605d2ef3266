// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"fmt"
	"time"
	"unsafe"
)

// Bus is the model's memory bus. It is safe for concurrent use, but for Close,
// after which nothing else is called.
type Bus struct {
	layout *layout
	close  func() error
}

// Counters is what one CPU has done since the machine was started, while the
// service time was not 0. The average memory latency between two readings is
// the difference of Occupancy over that of Requests.
type Counters struct {
	Accesses  uint64        // to RAM
	Misses    uint64        // of those, in the CPU's private cache
	Requests  uint64        // of those, in the shared cache: turns on the bus
	Occupancy time.Duration // sum over the requests, from asking to the end of the turn
	// Late is how much longer the turns really lasted, because the host ran
	// something else: the machine's noise, and no part of the model.
	Late time.Duration
}

// Geometry is what the model is made of.
type Geometry struct {
	LineBytes    int
	PrivateBytes int // of each CPU's own cache
	SharedBytes  int // of the last-level cache
	SharedWays   int
}

// ErrAbsent is that this machine has no model of a memory bus.
var ErrAbsent = errors.New("no modelled memory bus: it is in the lab's contended mode only, `vliblab run --mode contended`")

// view checks what is in memory, of Bytes, which stays the caller's.
func view(memory []byte) (*layout, error) {
	l := (*layout)(unsafe.Pointer(unsafe.SliceData(memory)))
	if m := l.magic.Load(); m != magic {
		return nil, fmt.Errorf("modelled memory bus: begins with %#x, expected %#x: some other device", m, uint64(magic))
	}
	if l.version != version {
		return nil, fmt.Errorf("modelled memory bus: layout %d, this program knows %d: use programs and lab of one revision", l.version, version)
	}
	if l.cpus < 1 || l.cpus > maxCPUs {
		return nil, fmt.Errorf("modelled memory bus: %d CPUs, expected 1 to %d", l.cpus, maxCPUs)
	}
	return l, nil
}

// CPUs is how many are counted; their numbers are Xen's.
func (b *Bus) CPUs() int { return int(b.layout.cpus) }

// Geometry returns the sizes of the modelled caches.
func (b *Bus) Geometry() Geometry {
	l := b.layout
	return Geometry{int(l.lineBytes), int(l.privateBytes), int(l.sharedBytes), int(l.sharedWays)}
}

// Service is how long a turn on the bus lasts; 0: nothing is modelled.
func (b *Bus) Service() time.Duration { return time.Duration(b.layout.service.Load()) }

// SetService changes it, at most to [MaxService].
func (b *Bus) SetService(d time.Duration) error {
	if d < 0 || d > MaxService {
		return fmt.Errorf("bus service time %v: expected 0 to %v", d, MaxService)
	}
	b.layout.service.Store(uint64(d))
	return nil
}

// Read returns a CPU's counters. The emulator may be counting meanwhile, so
// that the four may be a few accesses apart.
func (b *Bus) Read(cpu int) (Counters, error) {
	if cpu < 0 || cpu >= b.CPUs() {
		return Counters{}, fmt.Errorf("modelled memory bus: no CPU %d: it has %d", cpu, b.CPUs())
	}
	r := &b.layout.cpu[cpu]
	return Counters{
		Accesses: r.accesses.Load(), Misses: r.misses.Load(),
		Requests: r.requests.Load(), Occupancy: time.Duration(r.occupancy.Load()), Late: time.Duration(r.late.Load()),
	}, nil
}

// Close ends the mapping.
func (b *Bus) Close() error { return b.close() }

// Since returns what was counted between an earlier reading and this one.
func (c Counters) Since(earlier Counters) Counters {
	return Counters{
		Accesses: c.Accesses - earlier.Accesses, Misses: c.Misses - earlier.Misses,
		Requests: c.Requests - earlier.Requests, Occupancy: c.Occupancy - earlier.Occupancy, Late: c.Late - earlier.Late,
	}
}

// Add returns the sum, which is of several CPUs.
func (c Counters) Add(d Counters) Counters {
	return Counters{
		Accesses: c.Accesses + d.Accesses, Misses: c.Misses + d.Misses,
		Requests: c.Requests + d.Requests, Occupancy: c.Occupancy + d.Occupancy, Late: c.Late + d.Late,
	}
}

// Latency is the average of a request; 0 if there was none.
func (c Counters) Latency() time.Duration {
	if c.Requests == 0 {
		return 0
	}
	return c.Occupancy / time.Duration(c.Requests)
}
