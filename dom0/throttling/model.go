// SPDX-License-Identifier: Apache-2.0

package throttling

import (
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/throttle/model"
)

// modelled is the memory bus of the lab's contended mode. Its counters do not
// move while its service time is 0, which opens the throttle as stuck.
type modelled struct {
	bus   *model.Bus
	begin time.Time
	cpus  []int
}

func openModel(cpus []int) (throttle.Source, error) {
	bus, err := model.Open()
	if err != nil {
		if errors.Is(err, model.ErrAbsent) {
			err = fmt.Errorf("%w: %w", throttle.ErrNoSource, err)
		}
		return nil, err
	}
	return &modelled{bus, time.Now(), cpus}, nil
}

// Name implements throttle.Source.
func (m *modelled) Name() string { return "model" }

// Close implements throttle.Source.
func (m *modelled) Close() error { return m.bus.Close() }

// Read implements throttle.Source.
func (m *modelled) Read(c *throttle.Counters) error {
	c.At, c.Scale = time.Since(m.begin), 1
	c.Units, c.CPUs = c.Units[:0], c.CPUs[:0]
	var all model.Counters
	for cpu := range m.bus.CPUs() {
		one, err := m.bus.Read(cpu)
		if err != nil {
			return err
		}
		all = all.Add(one)
	}
	c.Units = append(c.Units, throttle.Unit{Requests: all.Requests, Occupancy: uint64(all.Occupancy), Width: 64})
	for _, cpu := range m.cpus {
		n := throttle.CPUCounter{ID: cpu}
		if one, err := m.bus.Read(cpu); err == nil { // others are not modelled
			n.Requests, n.Width = one.Requests, 64
		}
		c.CPUs = append(c.CPUs, n)
	}
	return nil
}
