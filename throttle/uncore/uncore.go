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

// pair is the counters of one unit in one package. They are one group of perf: if other
// programs count there, too, the kernel gives both of them their turns at the same times.
type pair struct {
	requests, occupancy int

	enabled, running uint64 // when running last moved, in ns
}

// patience is how long others may have a unit's counters before that is an error.
const patience = uint64(500 * time.Millisecond)

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
			p := pair{requests: -1, occupancy: -1}
			if p.requests, err = openEvent(b.typ, b.requests, cpu, -1); err == nil {
				p.occupancy, err = openEvent(b.typ, b.occupancy, cpu, p.requests)
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

// openEvent opens an event that counts for everything that runs on a CPU, in the group of
// another or, with -1, a new one. The library would exclude hypervisors, which the kernel
// refuses for units outside of cores.
func openEvent(typ uint32, config uint64, cpu, group int) (int, error) {
	attr := unix.PerfEventAttr{
		Type: typ, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})), Config: config,
		Read_format: unix.PERF_FORMAT_GROUP | unix.PERF_FORMAT_TOTAL_TIME_ENABLED | unix.PERF_FORMAT_TOTAL_TIME_RUNNING,
	}
	fd, err := unix.PerfEventOpen(&attr, -1, cpu, group, unix.PERF_FLAG_FD_CLOEXEC)
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
	for i := range s.units {
		u, err := s.units[i].read()
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

// read reads what perf_event_open(2) has for a group: the number of values, the times for
// which it was enabled and had counters, and the values.
func (p *pair) read() (throttle.Unit, error) {
	var b [5 * 8]byte
	if n, err := unix.Read(p.requests, b[:]); n != len(b) {
		return throttle.Unit{}, fmt.Errorf("read %d bytes of counters: %w", n, err)
	}
	word := func(i int) uint64 { return binary.NativeEndian.Uint64(b[8*i:]) }
	enabled, running := word(1), word(2)
	if running != p.running {
		p.enabled, p.running = enabled, running
	} else if enabled-p.enabled >= patience {
		return throttle.Unit{}, errors.New("another program has the counters, 'perf stat' for example: end it, or use the source probe")
	}
	return throttle.Unit{Width: 64, Requests: word(3), Occupancy: word(4)}, nil
}
