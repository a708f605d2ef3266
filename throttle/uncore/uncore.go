// SPDX-License-Identifier: Apache-2.0

package uncore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/hodgesds/perf-utils"
	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/throttle"
)

// Source implements [throttle.Source].
type Source struct {
	name  string
	begin time.Time
	units []pair
	cpus  []core
}

// pair is the counters of one unit in one package.
type pair struct{ requests, occupancy int }

// core is a CPU that may be throttled. Its misses of the last-level cache are
// counted if its own PMU can; else misses is nil.
type core struct {
	id     int
	misses perf.Profiler
}

// Open opens this machine's counters. Throttled are the CPUs listed in
// readings.
func Open(throttled []int) (*Source, error) { return open(devices, throttled) }

func open(root string, throttled []int) (*Source, error) {
	boxes, err := find(root)
	if err != nil {
		return nil, err
	}
	s := &Source{name: "uncore " + boxes[0].name, begin: time.Now()}
	for _, b := range boxes {
		for _, cpu := range b.cpus {
			p := pair{-1, -1}
			if p.requests, err = openEvent(b.typ, b.requests, cpu); err == nil {
				p.occupancy, err = openEvent(b.typ, b.occupancy, cpu)
			}
			s.units = append(s.units, p)
			if err != nil {
				return nil, errors.Join(refused(b.name, err), s.Close())
			}
		}
	}
	for _, cpu := range throttled {
		c := core{id: cpu}
		if p, err := perf.NewCacheMissesProfiler(-1, cpu, unix.PERF_FLAG_FD_CLOEXEC); err == nil {
			c.misses = p
			if err := p.Start(); err != nil {
				return nil, errors.Join(fmt.Errorf("misses of CPU %d: %w", cpu, err), p.Close(), s.Close())
			}
		}
		s.cpus = append(s.cpus, c)
	}
	return s, nil
}

func refused(name string, err error) error {
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		return fmt.Errorf("counters of %s: %w: run as root or with CAP_PERFMON", name, err)
	}
	return fmt.Errorf("counters of %s: %w: %w", name, throttle.ErrNoSource, err)
}

// openEvent opens an event that counts for everything that runs on a CPU. The library
// would exclude hypervisors, which the kernel refuses for units outside of cores.
func openEvent(typ uint32, config uint64, cpu int) (int, error) {
	attr := unix.PerfEventAttr{Type: typ, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})), Config: config}
	fd, err := unix.PerfEventOpen(&attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return -1, err
	}
	return fd, nil
}

// Name implements throttle.Source.
func (s *Source) Name() string { return s.name }

// Close implements throttle.Source.
func (s *Source) Close() error {
	var errs []error
	for _, p := range s.units {
		errs = append(errs, closed(p.requests), closed(p.occupancy))
	}
	for _, c := range s.cpus {
		if c.misses != nil {
			errs = append(errs, c.misses.Close())
		}
	}
	s.units, s.cpus = nil, nil
	return errors.Join(errs...)
}

func closed(fd int) error {
	if fd < 0 {
		return nil
	}
	return unix.Close(fd)
}

// Read implements throttle.Source. The kernel extends counters to 64 bits.
func (s *Source) Read(c *throttle.Counters) error {
	c.At, c.Scale = time.Since(s.begin), 1
	c.Units, c.CPUs = c.Units[:0], c.CPUs[:0]
	for _, p := range s.units {
		u := throttle.Unit{Width: 64}
		var err error
		if u.Requests, err = value(p.requests); err == nil {
			u.Occupancy, err = value(p.occupancy)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		c.Units = append(c.Units, u)
	}
	for _, core := range s.cpus {
		n := throttle.CPUCounter{ID: core.id}
		if core.misses != nil {
			var v perf.ProfileValue
			if err := core.misses.Profile(&v); err != nil {
				return fmt.Errorf("misses of CPU %d: %w", core.id, err)
			}
			n.Requests, n.Width = v.Value, 64
		}
		c.CPUs = append(c.CPUs, n)
	}
	return nil
}

func value(fd int) (uint64, error) {
	var b [8]byte
	if n, err := unix.Read(fd, b[:]); n != len(b) {
		return 0, fmt.Errorf("read %d bytes of a counter: %w", n, err)
	}
	return binary.NativeEndian.Uint64(b[:]), nil
}
