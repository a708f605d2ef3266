// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"fmt"
	"time"
	"unsafe"
)

// Bus is the model's memory bus. It is safe for concurrent use, except for
// Close, which must be the last call.
type Bus struct {
	layout *layout
	close  func() error
}

// Counters are the accesses of one CPU since the start of the machine, while
// the service time was not 0. The average memory latency between two readings
// is the difference of Occupancy divided by that of Requests.
type Counters struct {
	Accesses  uint64        // to RAM
	Misses    uint64        // accesses that miss the CPU's private cache
	Requests  uint64        // misses in the shared cache too: turns on the bus
	Occupancy time.Duration // sum over all requests, from request to end of turn
	// Late is how much longer the turns really took because the host ran
	// something else: it is noise of the machine, not a part of the model.
	Late time.Duration
}

// Geometry is the sizes of the model.
type Geometry struct {
	LineBytes    int
	PrivateBytes int // of each CPU's private cache
	SharedBytes  int // of the last-level cache
	SharedWays   int
}

// ErrAbsent reports that this machine has no model of a memory bus.
var ErrAbsent = errors.New("no modelled memory bus: it is in the lab's contended mode only, `vliblab run --mode contended`")

// view checks memory of Bytes bytes, which the caller keeps.
func view(memory []byte) (*layout, error) {
	l := (*layout)(unsafe.Pointer(unsafe.SliceData(memory)))
	if m := l.magic.Load(); m != magic {
		return nil, fmt.Errorf("modelled memory bus: begins with %#x, expected %#x: this is another device", m, uint64(magic))
	}
	if l.version != version {
		return nil, fmt.Errorf("modelled memory bus: layout %d, this program knows %d: use programs and lab of one revision", l.version, version)
	}
	if l.cpus < 1 || l.cpus > maxCPUs {
		return nil, fmt.Errorf("modelled memory bus: %d CPUs, expected 1 to %d", l.cpus, maxCPUs)
	}
	return l, nil
}

// CPUs is the number of counted CPUs; their numbers are Xen's.
func (b *Bus) CPUs() int { return int(b.layout.cpus) }

// Geometry returns the sizes of the modelled caches.
func (b *Bus) Geometry() Geometry {
	l := b.layout
	return Geometry{int(l.lineBytes), int(l.privateBytes), int(l.sharedBytes), int(l.sharedWays)}
}

// Service is the time of a turn on the bus; 0: nothing is modelled.
func (b *Bus) Service() time.Duration { return time.Duration(b.layout.service.Load()) }

// SetService sets the time of a turn, at most [MaxService].
func (b *Bus) SetService(d time.Duration) error {
	if d < 0 || d > MaxService {
		return fmt.Errorf("bus service time %v: expected 0 to %v", d, MaxService)
	}
	b.layout.service.Store(uint64(d))
	return nil
}

// Read returns a CPU's counters. The emulator may count meanwhile, so the four
// values may differ by a few accesses.
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

// Close unmaps the memory.
func (b *Bus) Close() error { return b.close() }

// Since returns the difference to an earlier reading.
func (c Counters) Since(earlier Counters) Counters {
	return Counters{
		Accesses: c.Accesses - earlier.Accesses, Misses: c.Misses - earlier.Misses,
		Requests: c.Requests - earlier.Requests, Occupancy: c.Occupancy - earlier.Occupancy, Late: c.Late - earlier.Late,
	}
}

// Add returns the sum of two CPUs' counters.
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
