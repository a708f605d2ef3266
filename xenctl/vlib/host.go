// SPDX-License-Identifier: Apache-2.0

package vlib

import (
	"fmt"
	"time"
)

// Info is what the module says of itself and the host.
type Info struct {
	Version         uint32 // of the interface
	Module          uint32 // revision of the module
	Host            bool   // Dom0 itself is under sched=vlib
	Counters        CounterKind
	MaxReservations int // numbers are below it
	Reservations    int // in use
	Domains         int // known to the module
	CPUs            int // that the scheduler drives
	Lease           time.Duration
	LeasesLost      uint64
	FloorBudget     time.Duration // kept for control domains on each CPU,
	FloorPeriod     time.Duration // in each of these
	Slice           time.Duration // of background time
	Late            time.Duration // by how much the end of a budget may come late
}

// Info asks for it. A Lease of 0 says that none runs.
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
		Slice: time.Duration(i.slice), Late: time.Duration(i.late),
	}
}

// Lease promises that Lease is called again within d, at most MaxPeriod. If it
// is not, all gates open and all throttles lift, until it is. 0: no promise.
func (m *Module) Lease(d time.Duration) error {
	_, err := m.values(opLease, uint64(d), 0, 0, 0)
	if err == nil {
		return nil
	}
	return opError("renew the lease", nowhere, explain(aboutLease, err))
}

// Throttle denies background time to all but control domains on a CPU, for idle
// of every period. An idle of 0 ends it.
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

// CPU is what the scheduler says of a CPU that it drives. The times are since it
// took the CPU over.
type CPU struct {
	ID         int
	Foreground time.Duration
	Background time.Duration
	Idle       time.Duration
	Denied     time.Duration // of it: somebody was denied background time
	Decisions  uint64
	Remote     uint64        // that other CPUs caused
	Period     time.Duration // of the throttle
	Throttle   time.Duration // its idle time; 0: none
	Admitted   float64       // sum of budget / period, with what is kept for control domains
	Overrun    time.Duration // the longest that anybody ran past a budget; reading resets it
	Worst      time.Duration // the same, since the scheduler took the CPU over
}

// CPU reads the state of one; [ErrOtherScheduler] if it is not driven.
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
