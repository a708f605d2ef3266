// SPDX-License-Identifier: Apache-2.0

// Package requestlatency lets a program say how long its own requests take, in a file
// that it shares with who controls its neighbours: the throttle then holds what
// its users feel, on average or at a quantile, in place of the latency of memory.
//
// The file is 8 KiB: "vLibTly1", then 64-bit counters of this machine's byte
// order: requests, the sum of their times in nanoseconds, and how many requests
// took how long (see [bucket]). One process writes.
package requestlatency

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/throttle"
)

const (
	fileSize = 8 << 10
	magic    = 0x31796c5462694c76 // "vLibTly1"
	steps    = 16                 // buckets that double what they stand for
	buckets  = 60 * steps
)

type page struct {
	magic    uint64
	requests uint64
	nanos    uint64
	times    [buckets]uint64
}

var _ [fileSize - unsafe.Sizeof(page{})]byte

// bucket is where a time of n nanoseconds is counted: below 16 exactly, then 16
// to each doubling, so that a bucket is at most a sixteenth wide.
func bucket(n uint64) int {
	if n < steps {
		return int(n)
	}
	e := bits.Len64(n) - 5
	return min(e*steps+int(n>>e), buckets-1)
}

// middle is the time in the middle of a bucket.
func middle(b int) float64 {
	if b < 2*steps {
		return float64(b)
	}
	e := b/steps - 1
	return (float64(b%steps+steps) + 0.5) * math.Ldexp(1, e)
}

// Tally is the writer's side.
type Tally struct {
	memory []byte
	page   *page
}

// Create makes a file, or takes over one that is there.
func Create(name string) (*Tally, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	err = f.Truncate(fileSize)
	var m []byte
	if err == nil {
		m, err = unix.Mmap(int(f.Fd()), 0, fileSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("tally %s: %w", name, err)
	}
	t := &Tally{m, (*page)(unsafe.Pointer(&m[0]))}
	atomic.StoreUint64(&t.page.magic, magic)
	return t, nil
}

// Add counts n requests that took that long together.
func (t *Tally) Add(n int, d time.Duration) {
	if n <= 0 || d < 0 {
		return
	}
	atomic.AddUint64(&t.page.times[bucket(uint64(d)/uint64(n))], uint64(n))
	atomic.AddUint64(&t.page.nanos, uint64(d))
	atomic.AddUint64(&t.page.requests, uint64(n))
}

// Close ends writing; the file stays.
func (t *Tally) Close() error { return unix.Munmap(t.memory) }

// Reading is what a file says at one time.
type Reading struct {
	Requests, Nanos uint64
	times           [buckets]uint64
}

// Source reads a file. It implements [throttle.Source].
type Source struct {
	name      string
	file      *os.File
	quantile  float64
	throttled []int
	begin     time.Time

	now, last           Reading
	requests, occupancy uint64
}

// Open reads what a program writes there. Latency is the mean of the requests'
// times, or with a quantile between 0 and 1 that one of those between two
// readings. Throttled are the CPUs that readings name.
func Open(name string, quantile float64, throttled []int) (*Source, error) {
	if !(quantile >= 0 && quantile < 1) {
		return nil, fmt.Errorf("tally %s: quantile %v: 0 for the mean, or between 0 and 1", name, quantile)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	s := &Source{name: name, file: f, quantile: quantile, throttled: throttled, begin: time.Now()}
	if err := s.Take(&s.last); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// Name implements throttle.Source.
func (s *Source) Name() string { return "tally" }

// Close implements throttle.Source.
func (s *Source) Close() error { return s.file.Close() }

// Take reads the file. It is read and not mapped: who writes it may truncate it.
func (s *Source) Take(r *Reading) error {
	var raw [unsafe.Sizeof(page{})]byte
	n, err := s.file.ReadAt(raw[:], 0)
	p := (*page)(unsafe.Pointer(&raw))
	if n < len(raw) {
		return fmt.Errorf("tally %s: %d bytes of %d: %w", s.name, n, len(raw), err)
	}
	if p.magic != magic {
		return fmt.Errorf("tally %s is none: %w", s.name, throttle.ErrNoSource)
	}
	r.Requests, r.Nanos, r.times = p.requests, p.nanos, p.times
	return nil
}

// Read implements throttle.Source.
func (s *Source) Read(c *throttle.Counters) error {
	if err := s.Take(&s.now); err != nil {
		return err
	}
	if s.quantile == 0 {
		s.requests, s.occupancy = s.now.Requests, s.now.Nanos
	} else if q, n := s.now.Quantile(&s.last, s.quantile); n > 0 {
		s.requests += n
		s.occupancy += uint64(q * float64(n))
	}
	s.last = s.now
	c.At, c.Scale = time.Since(s.begin), 1
	c.Units = append(c.Units[:0], throttle.Unit{Requests: s.requests, Occupancy: s.occupancy, Width: 64})
	c.CPUs = c.CPUs[:0]
	for _, id := range s.throttled {
		c.CPUs = append(c.CPUs, throttle.CPUCounter{ID: id})
	}
	return nil
}

// Quantile of the times of the n requests since an earlier reading, in ns.
func (r *Reading) Quantile(since *Reading, q float64) (ns float64, n uint64) {
	var counts [buckets]uint64
	for i := range counts {
		// Who writes may be hostile: no count can make a sum overflow.
		counts[i] = min(r.times[i]-since.times[i], 1<<48)
		n += counts[i]
	}
	rank := uint64(q * float64(n))
	for i, c := range counts {
		if rank < c {
			return middle(i), n
		}
		rank -= c
	}
	return 0, 0
}
