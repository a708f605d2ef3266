// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/throttle"
)

// source is the bus as a throttle source. Its counters do not move while its
// service time is 0; the throttle then opens because they are stuck.
type source struct {
	bus   *Bus
	begin time.Time
	cpus  []int
}

// OpenSource opens the bus for the CPUs that may be throttled. The error is
// [throttle.ErrNoSource] if there is none.
func OpenSource(cpus []int) (throttle.Source, error) {
	bus, err := Open()
	if err != nil {
		if errors.Is(err, ErrAbsent) {
			err = fmt.Errorf("%w: %w", throttle.ErrNoSource, err)
		}
		return nil, err
	}
	return &source{bus, time.Now(), cpus}, nil
}

// Name implements throttle.Source.
func (s *source) Name() string { return "model" }

// Close implements throttle.Source.
func (s *source) Close() error { return s.bus.Close() }

// Read implements throttle.Source.
func (s *source) Read(c *throttle.Counters) error {
	c.At, c.Scale = time.Since(s.begin), 1
	c.Units, c.CPUs = c.Units[:0], c.CPUs[:0]
	var all Counters
	for cpu := range s.bus.CPUs() {
		one, err := s.bus.Read(cpu)
		if err != nil {
			return err
		}
		all = all.Add(one)
	}
	c.Units = append(c.Units, throttle.Unit{Requests: all.Requests, Occupancy: uint64(all.Occupancy), Width: 64})
	for _, cpu := range s.cpus {
		n := throttle.CPUCounter{ID: cpu}
		if one, err := s.bus.Read(cpu); err == nil { // others are not modelled
			n.Requests, n.Width = one.Requests, 64
		}
		c.CPUs = append(c.CPUs, n)
	}
	return nil
}
