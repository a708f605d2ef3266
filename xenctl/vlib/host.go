// SPDX-License-Identifier: Apache-2.0

package vlib

import (
	"fmt"
	"time"
)

// Info is the module's description of itself and the host.
type Info struct {
	Version         uint32 // of the interface
	Module          uint32 // revision of the module
	Host            bool   // Dom0 is under sched=vlib
	Counters        CounterKind
	MaxReservations int // numbers are below this
	Reservations    int // in use
	Domains         int // known to the module
	CPUs            int // driven by the scheduler
	Lease           time.Duration
	LeasesLost      uint64
	FloorBudget     time.Duration // reserved for control domains on each CPU,
	FloorPeriod     time.Duration // in each of these
	Slice           time.Duration // of background time
	Late            time.Duration // how late a budget may end
	Moves           uint64        // of vCPUs to other CPUs, by the module
}

// Info reads the module's description. A Lease of 0 means that none runs.
func (m *Module) Info() (Info, error) {
	var op rawInfo
	if err := structure(m, opInfo, &op); err != nil {
		return Info{}, opError("ask for information", nowhere, explain(aboutHost, err))
	}
	return op.public(), nil
}

func (i rawInfo) public() Info {
	return Info{
		Version: i.version, Module: i.module, Host: i.features&featureHost != 0,
		Counters: CounterKind(i.counters), MaxReservations: int(i.maxReservations),
		Reservations: int(i.reservations), Domains: int(i.domains), CPUs: int(i.cpus),
		Lease: time.Duration(i.lease), LeasesLost: i.leasesLost,
		FloorBudget: time.Duration(i.floorBudget), FloorPeriod: time.Duration(i.floorPeriod),
		Slice: time.Duration(i.slice), Late: time.Duration(i.late), Moves: i.moves,
	}
}

// Lease promises that Lease is called again within d, at most MaxPeriod.
// Otherwise all gates open and all throttles are lifted, until it is called. 0
// ends the promise.
func (m *Module) Lease(d time.Duration) error {
	_, err := m.values(opLease, uint64(d), 0, 0, 0)
	if err == nil {
		return nil
	}
	return opError("renew the lease", nowhere, explain(aboutLease, err))
}

// Throttle denies background time on a CPU to all but control domains, for idle
// in each period. An idle of 0 ends it.
func (m *Module) Throttle(cpu int, period, idle time.Duration) error {
	op := rawThrottle{cpu: uint32(cpu), period: uint64(period), idle: uint64(idle)}
	return cpuError("throttle", cpu, aboutThrottle, structure(m, opThrottle, &op))
}

func cpuError(verb string, cpu int, about subject, err error) error {
	if err == nil {
		return nil
	}
	return opError(fmt.Sprintf("%s CPU %d", verb, cpu), nowhere, explain(about, err))
}

// CPU is the state of a CPU that the scheduler drives. Times count from when
// the scheduler took over the CPU.
type CPU struct {
	ID         int
	Foreground time.Duration
	Background time.Duration
	Idle       time.Duration
	Denied     time.Duration // part of it with background time denied
	Decisions  uint64
	Remote     uint64        // requested by other CPUs
	Period     time.Duration // of the throttle
	Throttle   time.Duration // its idle time; 0: none
	Admitted   float64       // sum of budget / period, including the floor
	Overrun    time.Duration // largest overrun of a budget; reading resets it
	Worst      time.Duration // largest overrun since the scheduler took the CPU over
}

// CPU reads the state of a CPU. [ErrOtherScheduler]: another scheduler drives
// it.
func (m *Module) CPU(cpu int) (CPU, error) {
	op := rawCPU{cpu: uint32(cpu)}
	if err := structure(m, opGetCPU, &op); err != nil {
		return CPU{}, cpuError("look up", cpu, aboutCPU, err)
	}
	return op.public(), nil
}

func (c rawCPU) public() CPU {
	return CPU{
		ID: int(c.cpu), Foreground: time.Duration(c.foreground), Background: time.Duration(c.background),
		Idle: time.Duration(c.idle), Denied: time.Duration(c.denied),
		Decisions: c.decisions, Remote: c.remote, Period: time.Duration(c.period),
		Throttle: time.Duration(c.throttle), Admitted: float64(c.admitted) / 1e6, Overrun: time.Duration(c.overrun), Worst: time.Duration(c.worst),
	}
}
