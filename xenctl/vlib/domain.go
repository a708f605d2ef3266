// SPDX-License-Identifier: Apache-2.0

package vlib

import (
	"fmt"
	"strings"
	"time"
)

// DomainFlags are a domain's flags in the module.
type DomainFlags uint32

// The flags.
const (
	Listens  DomainFlags = 1 << 0 // it may listen, and be called
	StopTime DomainFlags = 1 << 1 // its time stops while the gate is closed
	Closed   DomainFlags = 1 << 2 // the gate is always closed
	// Parks is for a domain that cannot listen by hypercall: its gate is open
	// while a call is active, and the caller calls Finish when it has the
	// answer.
	Parks DomainFlags = 1 << 3
	// Critical domains are not throttled.
	Critical DomainFlags = 1 << 4
	// UserMode lets programs of a PVH or HVM guest listen from user mode, by an
	// instruction that its kernel does not see.
	UserMode DomainFlags = 1 << 5
	// Follows gives a domain the cache class of its caller's domain while it
	// serves a call.
	Follows DomainFlags = 1 << 6

	allFlags = Listens | StopTime | Closed | Parks | Critical | UserMode | Follows
)

func (f DomainFlags) String() string {
	var names []string
	for i, name := range []string{"listens", "stop-time", "closed", "parks", "critical", "user-mode", "follows"} {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if rest := f &^ allFlags; rest != 0 {
		names = append(names, fmt.Sprintf("%#x", uint32(rest)))
	}
	return strings.Join(names, " ")
}

// SetDomain sets and clears flags of a domain that is under sched=vlib and is
// not a control domain. [ErrNoClasses]: the host has none for Follows.
func (m *Module) SetDomain(domid uint16, set, clear DomainFlags) error {
	op := rawDomctl{domid: uint32(domid), set: uint32(set), clear: uint32(clear)}
	return domainError("set flags", domid, aboutDomain, structure(m, opDomain, &op))
}

func domainError(verb string, domid uint16, about subject, err error) error {
	if err == nil {
		return nil
	}
	return opError(verb, int(domid), explain(about, err))
}

// Domain is the module's state of a domain that it knows.
type Domain struct {
	ID          uint16
	Flags       DomainFlags
	Open        bool          // the gate
	Listening   bool          // the server waits for a call
	Reservation uint32        // it runs on; 0: none
	Queued      int           // calls that wait
	Holds       int           // of the gate
	Active      bool          // a call is active
	Busy        uint32        // reservation of a call given up that it may still serve; 0: none
	Stopped     time.Duration // how far its clock is behind Xen's
	Calls       uint64        // completed
	Total       Cost          // since the module knows it
}

// Domain reads the state of a domain. [ErrUnknown]: the module does not know
// it.
func (m *Module) Domain(domid uint16) (Domain, error) {
	op := rawDomain{domid: uint32(domid)}
	if err := structure(m, opGetDomain, &op); err != nil {
		return Domain{}, domainError("look up", domid, aboutGetDomain, err)
	}
	return op.public(), nil
}

func (d rawDomain) public() Domain {
	return Domain{
		ID: uint16(d.domid), Flags: DomainFlags(d.flags), Open: d.open != 0, Listening: d.listening != 0,
		Reservation: d.reservation, Queued: int(d.queued), Holds: int(d.holds), Active: d.active != 0, Busy: d.busy,
		Stopped: time.Duration(d.stopped), Calls: d.calls, Total: d.total.public(),
	}
}

// Use is the use of CPU time by a domain's vCPUs since they came under the
// module's scheduler.
type Use struct {
	VCPUs int // under this scheduler now
	Total Cost
	// Waited is how long they were runnable and did not run, with the gate open,
	// all together. Total.Throttled is a part of it.
	Waited time.Duration
}

// Use reads the use of a domain, which the module need not know.
// [ErrOtherScheduler]: it is under another scheduler.
func (m *Module) Use(domid uint16) (Use, error) {
	op := rawUse{domid: uint32(domid)}
	if err := structure(m, opGetUse, &op); err != nil {
		return Use{}, domainError("read the use of", domid, aboutGetDomain, err)
	}
	return Use{int(op.vcpus), op.total.public(), time.Duration(op.waited)}, nil
}
