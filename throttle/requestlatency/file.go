// SPDX-License-Identifier: Apache-2.0

// Package requestlatency lets a program report how long its own requests take,
// in a file that it shares with the throttle of its neighbours. The throttle
// then keeps the latency that the program's users experience, on average or at
// a quantile, instead of the latency of memory.
//
// The file is 8 KiB: "vLibTly1", then 64-bit counters in this machine's byte
// order: requests, the sum of their times in nanoseconds, and the number of
// requests by time (see [bucket]). One process writes.
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
	steps    = 16                 // buckets for each doubling of the time
	buckets  = 60 * steps
)

type page struct {
	magic    uint64
	requests uint64
	nanos    uint64
	times    [buckets]uint64
}

var _ [fileSize - unsafe.Sizeof(page{})]byte

// bucket is the bucket for a time of n nanoseconds: exact below 16, then 16
// buckets for each doubling, so that a bucket is at most a sixteenth wide.
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

// Writer is the program's side.
type Writer struct {
	memory []byte
	page   *page
}

// Create makes a file, or continues one that exists.
func Create(name string) (*Writer, error) {
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
		return nil, fmt.Errorf("request latencies %s: %w", name, err)
	}
	w := &Writer{m, (*page)(unsafe.Pointer(&m[0]))}
	atomic.StoreUint64(&w.page.magic, magic)
	return w, nil
}

// Add counts n requests that took that long together.
func (w *Writer) Add(n int, d time.Duration) {
	if n <= 0 || d < 0 {
		return
	}
	atomic.AddUint64(&w.page.times[bucket(uint64(d)/uint64(n))], uint64(n))
	atomic.AddUint64(&w.page.nanos, uint64(d))
	atomic.AddUint64(&w.page.requests, uint64(n))
}

// Close ends writing; the file stays.
func (w *Writer) Close() error { return unix.Munmap(w.memory) }

// Reading is the content of a file at one time.
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

// Open reads the file that a program writes. Latency is the mean of the
// requests' times between two readings, or with a quantile between 0 and 1 that
// quantile, and at most [throttle.Longest]. Throttled are the CPUs listed in readings.
func Open(name string, quantile float64, throttled []int) (*Source, error) {
	if !(quantile >= 0 && quantile < 1) {
		return nil, fmt.Errorf("request latencies %s: quantile %v: 0 for the mean, or between 0 and 1", name, quantile)
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
func (s *Source) Name() string { return "requests" }

// Close implements throttle.Source.
func (s *Source) Close() error { return s.file.Close() }

// Take reads the file. It does not map it, since the writer may truncate it.
func (s *Source) Take(r *Reading) error {
	var raw [unsafe.Sizeof(page{})]byte
	n, err := s.file.ReadAt(raw[:], 0)
	p := (*page)(unsafe.Pointer(&raw))
	if n < len(raw) {
		return fmt.Errorf("request latencies %s: %d bytes of %d: %w", s.name, n, len(raw), err)
	}
	if p.magic != magic {
		return fmt.Errorf("%s is not a file of request latencies: %w", s.name, throttle.ErrNoSource)
	}
	r.Requests, r.Nanos, r.times = p.requests, p.nanos, p.times
	return nil
}

// Read implements throttle.Source.
func (s *Source) Read(c *throttle.Counters) error {
	if err := s.Take(&s.now); err != nil {
		return err
	}
	// A service under contention may well take longer than a sample can say. Unlike memory
	// it is not broken then, and just then the throttle must not open.
	if s.quantile == 0 {
		n := s.now.Requests - s.last.Requests
		s.requests += n
		s.occupancy += min(s.now.Nanos-s.last.Nanos, n*uint64(throttle.Longest))
	} else if q, n := s.now.Quantile(&s.last, s.quantile); n > 0 {
		s.requests += n
		s.occupancy += uint64(min(q, throttle.Longest) * float64(n))
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

// Quantile is a quantile of the times of the n requests since an earlier
// reading, in ns.
func (r *Reading) Quantile(since *Reading, q float64) (ns float64, n uint64) {
	var counts [buckets]uint64
	for i := range counts {
		// The writer may be hostile: no count can make a sum overflow.
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
