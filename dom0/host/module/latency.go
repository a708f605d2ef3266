// SPDX-License-Identifier: Apache-2.0

package module

import (
	"fmt"

	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// Counters is the part of a *vlib.Module that the source uses.
type Counters interface {
	Counters(cpu int) (vlib.Counters, error)
}

// latency reads the uncore counters through the module, in cycles of their
// clock. Those of the package of the first CPU count; each CPU's own misses are
// its traffic.
type latency struct {
	module Counters
	name   string
	cpus   []int
}

// LatencySource implements host.Host.
func (p *Host) LatencySource(cpus []int) (throttle.Source, error) {
	return Latency(p.m, p.info.Counters, cpus)
}

// Latency is a source of the module's counters, which are of that kind.
func Latency(m Counters, kind vlib.CounterKind, cpus []int) (throttle.Source, error) {
	if kind == vlib.CountersNone {
		return nil, fmt.Errorf("%w: the hypervisor finds no uncore counters that it knows: use the source probe", throttle.ErrNoSource)
	}
	if len(cpus) == 0 {
		return nil, fmt.Errorf("%w: no CPUs are named", throttle.ErrNoSource)
	}
	return &latency{m, "module, " + kind.String(), cpus}, nil
}

// CPUs implements host.Host.
func (p *Host) CPUs() ([]int, error) {
	all := make([]int, p.info.CPUs)
	for i := range all {
		all[i] = i
	}
	return all, nil
}

func (l *latency) Name() string { return l.name }
func (l *latency) Close() error { return nil }

func (l *latency) Read(to *throttle.Counters) error {
	to.Units, to.CPUs, to.Scale = to.Units[:0], to.CPUs[:0], 1
	for i, cpu := range l.cpus {
		c, err := l.module.Counters(cpu)
		if err != nil {
			return err
		}
		if i == 0 {
			to.At = c.Time
			to.Units = append(to.Units, throttle.Unit{Requests: c.Requests, Occupancy: c.Occupancy, Width: c.Width})
		}
		to.CPUs = append(to.CPUs, throttle.CPUCounter{ID: cpu, Requests: c.Misses, Width: c.MissesWidth})
	}
	return nil
}
