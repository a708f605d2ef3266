// SPDX-License-Identifier: Apache-2.0

package vlib

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of the module.
const (
	MaxReservations = 4096 // numbers are below this; so are all servers together
	MaxServers      = 128  // of one reservation
	MinBudget       = 20 * time.Microsecond
	MinPeriod       = 200 * time.Microsecond
	MaxPeriod       = 10 * time.Second
	MaxCallees      = 64 // domains that one reservation may call
	MaxTimeout      = time.Hour
)

// Reserve makes reservation id, a number from 1 to MaxReservations-1 that the
// caller chooses, or changes it. It has one server with this budget and period.
// If the change does not fit where the reservation is in use, the error is a
// [NotAdmitted], and the reservation is unchanged.
func (m *Module) Reserve(id uint32, budget, period time.Duration) error {
	return m.ReserveEach(id, 1, budget, period)
}

// ReserveEach is Reserve for several servers, each with this budget and period.
// vCPU v of a domain runs on server v modulo their number.
func (m *Module) ReserveEach(id uint32, servers int, budget, period time.Duration) error {
	op := rawReserve{id: id, budget: uint64(budget), period: uint64(period), servers: uint32(servers)}
	err := structure(m, opReserve, &op)
	if errors.Is(err, unix.ENOSPC) {
		err = &NotAdmitted{int(op.cpu), int(op.server), op.misses, time.Duration(op.response), budget, period}
	}
	return reservationError("reserve", id, nowhere, aboutReserve, err)
}

// Unreserve removes a reservation. A call that it is charged for ends as
// cancelled; a domain that ran on it runs on none.
func (m *Module) Unreserve(id uint32) error {
	op := rawReserve{id: id}
	return reservationError("unreserve", id, nowhere, aboutReservation, structure(m, opUnreserve, &op))
}

// Adopt makes a domain always run on a reservation; on none if id is 0.
func (m *Module) Adopt(domid uint16, id uint32) error {
	return m.bind("adopt by", opAdopt, rawBind{id: id, domid: uint32(domid)})
}

// Allow lets a reservation be charged for calls to a domain.
func (m *Module) Allow(domid uint16, id uint32) error {
	return m.bind("allow", opAllow, rawBind{id: id, domid: uint32(domid)})
}

// Disallow undoes that.
func (m *Module) Disallow(domid uint16, id uint32) error {
	return m.bind("disallow", opAllow, rawBind{id: id, domid: uint32(domid), flags: bindRemove})
}

func (m *Module) bind(verb string, cmd uint64, op rawBind) error {
	err := structure(m, cmd, &op)
	if errors.Is(err, unix.ENOSPC) {
		err = &NotAdmitted{CPU: int(op.cpu), Server: int(op.server), Misses: op.misses, Response: time.Duration(op.response)}
	}
	return reservationError(verb, op.id, int(op.domid), aboutBind, err)
}

// Charge subtracts time from a reservation that was used elsewhere on its
// behalf: the time that a thread of Dom0 used.
func (m *Module) Charge(id uint32, d time.Duration) error {
	_, err := m.values(opCharge, uint64(id), uint64(d), 0, 0)
	return reservationError("charge", id, nowhere, aboutCharge, err)
}

func reservationError(verb string, id uint32, domain int, about subject, err error) error {
	if err == nil {
		return nil
	}
	return opError(fmt.Sprintf("%s reservation %d", verb, id), domain, explain(about, err))
}

// Cost is what a reservation or a call was charged.
type Cost struct {
	Foreground  time.Duration // CPU time with budget
	Background  time.Duration // CPU time without
	Throttled   time.Duration // runnable, but denied background time
	Deschedules uint64        // taken off a CPU while runnable
}

func (c rawCost) public() Cost {
	return Cost{time.Duration(c.foreground), time.Duration(c.background), time.Duration(c.throttled), c.deschedules}
}

// Memory is what the domain of a call used of the third-level cache and of
// memory, in bytes. Processors count by domain, so everything that the domain
// ran between the call's begin and its end is in it.
type Memory struct {
	Occupied, Moved uint64 // of the cache, at the end; between it and memory
	OccupiedKnown   bool   // Occupied is known
	MovedKnown      bool   // Moved is known
}

func (m rawMemory) public() Memory {
	return Memory{m.occupied, m.moved, m.known&memoryOccupied != 0, m.known&memoryMoved != 0}
}

// Reservation is the state of a reservation. Left, Refills, Unadmitted and the
// costs are of all servers together.
type Reservation struct {
	ID             uint32
	Servers        int
	Budget, Period time.Duration // of each server
	Left           time.Duration // of the budgets, now
	Next           time.Duration // until the next refill, 0 if one is due
	Refills        int           // entries in the refill lists
	Domain         int           // runs on it now; or -1
	Unadmitted     int           // CPUs on which it is needed and not admitted
	Total          Cost          // since it was made

	Calls   uint64        // number of calls so far
	Call    CallState     // state of the most recent call,
	Port    uint32        // for a request of this domain's port
	Request uint64        // with this number
	Queued  time.Duration // time before that call was active
	Wall    time.Duration // time since then, until now or its end
	Cost    Cost          // of that call
	Memory  Memory        // of that call, once it is over
}

// Reservation reads the state of a reservation.
func (m *Module) Reservation(id uint32) (Reservation, error) {
	op := rawReservation{id: id}
	if err := structure(m, opGetReservation, &op); err != nil {
		return Reservation{}, reservationError("look up", id, nowhere, aboutReservation, err)
	}
	return op.public(), nil
}

func (r rawReservation) public() Reservation {
	domain := nowhere
	if r.domid != noDomain {
		domain = int(r.domid)
	}
	return Reservation{
		ID: r.id, Servers: int(r.servers), Budget: time.Duration(r.budget), Period: time.Duration(r.period),
		Left: time.Duration(r.left), Next: time.Duration(r.next), Refills: int(r.refills),
		Domain: domain, Unadmitted: int(r.unadmitted), Total: r.total.public(),
		Call: CallState(r.call), Calls: r.calls, Port: r.port, Request: r.request, Queued: time.Duration(r.queued),
		Wall: time.Duration(r.wall), Cost: r.cost.public(), Memory: r.memory.public(),
	}
}

// Server is the state of one server of a reservation.
type Server struct {
	VCPUs      int           // that run on it now
	CPU        int           // of the first of them; -1: none runs on it
	Unadmitted int           // CPUs on which it is needed and not admitted
	Left       time.Duration // of the budget, now
	Next       time.Duration // until the next refill, 0 if one is due
	Total      Cost          // since it was made
}

// Server reads the state of one server of a reservation, counted from 0.
func (m *Module) Server(id uint32, server int) (Server, error) {
	op := rawServer{id: id, server: uint32(server)}
	if err := structure(m, opGetServer, &op); err != nil {
		return Server{}, reservationError("look up", id, nowhere, aboutServer, err)
	}
	cpu := -1
	if op.cpu != noCPU {
		cpu = int(op.cpu)
	}
	return Server{
		VCPUs: int(op.vcpus), CPU: cpu, Unadmitted: int(op.unadmitted),
		Left: time.Duration(op.left), Next: time.Duration(op.next), Total: op.total.public(),
	}, nil
}
