// SPDX-License-Identifier: Apache-2.0

// Package host is the interface of the master to a host: its domains,
// reservations of CPU time, and the time used of them.
//
// Its subdirectories are the hosts. CPU numbers are the host's.
package host

import (
	"context"
	"errors"
	"time"

	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/xenctl"
)

// Errors that callers tell apart. Errors of a Host wrap them.
var (
	ErrNoDomain   = xenctl.ErrNoDomain // as hypercalls report it
	ErrNotHere    = errors.New("not available on this host")
	ErrNotAllowed = errors.New("the host may not do this")
	ErrSeveral    = error(severalError{}) // an ErrNoDomain
	ErrNoMembers  = errors.New("no such process or thread")
	ErrLease      = errors.New("the lease is over")
)

// severalError is ErrSeveral.
type severalError struct{}

func (severalError) Error() string { return "several domains have this name" }
func (severalError) Unwrap() error { return ErrNoDomain }

// Abilities say what a host can do beyond keeping domains on reservations.
type Abilities struct {
	Threads bool // threads of this system can hold a reservation
	Calls   bool // a reservation can have callees
	// DeviceModels says that a domain's device model can be on its reservation.
	DeviceModels bool
	// Both says that a domain can hold a reservation and be a callee of others.
	Both bool
	// Places says that it puts a domain's vCPUs on CPUs where they fit, and
	// refuses a reservation that fits nowhere.
	Places   bool
	Throttle bool // Throttle, CPUs and LatencySource
	Stuck    bool
	// Start is a command that starts a domain NAME, for the error that there is
	// none; empty: a toolstack does.
	Start string
}

// Host is a machine and how it keeps budgets. Methods may be called at the same
// time. A method that needs an ability that the host lacks returns ErrNotHere.
//
// The master alone decides what is admitted and which holder may have which
// callees. A host is given valid reservations and repeats none of these tests.
type Host interface {
	// Name is the kind of host, for people and scripts.
	Name() string

	// Can says what the host is able to do. The answer never changes.
	Can() Abilities

	// Own makes this process the one master of the host, until Close or until
	// the process ends. flock.ErrTaken: another process is the master.
	Own() error

	// Notes say, for people, why budgets are kept less well now than this host
	// could keep them. No notes: there is no such reason.
	Notes() []string

	// Floor is the reservation of control domains on each CPU, and late by how
	// much a budget's end may come late there.
	Floor() (floor rtsched.Task, late time.Duration)

	// Domains lists the domains that there are now.
	Domains(context.Context) ([]Domain, error)

	// Work is what a domain of the list has done by now. It costs a bounded number of
	// hypercalls, or of files read, whatever the domain does.
	Work(context.Context, Domain) (Work, error)

	// Facts are what the host has set for a domain of the list, and for each of its
	// vCPUs: weights, affinity, flags of its gate.
	Facts(context.Context, Domain) ([]Fact, error)

	// MemberCPUs are the CPUs on which threads may run, ascending. ErrNoMembers
	// if they have ended.
	MemberCPUs(Members) ([]int, error)

	// Reserve makes a reservation, or changes the one that has this number:
	// budget, period, class, callees, and the domain that holds it, which may
	// have been recreated. The CPU time used so far stays on the account.
	// Reserve may be repeated, and is while a device model is to be on it: that may
	// have been restarted. The holder runs on the budget in every period,
	// and beyond that in background; so does a callee while it serves a call
	// that the reservation pays for. A callee that serves no call runs in
	// background or not at all.
	//
	// Errors: ErrNoDomain, ErrNoMembers, a *Refusal, ErrNotHere. After an error
	// all is as it was before.
	Reserve(context.Context, Reservation) error

	// Unreserve ends a reservation: its holder and callees run as if they had
	// never been on it, and a call that it pays for ends. It is no error if the
	// reservation, domain or thread is gone.
	Unreserve(context.Context, Reservation) error

	// Usage is the CPU time used on the reservation. ErrNoDomain if the host
	// does not have that domain on it, or has none of its callees; ErrNoMembers
	// if its threads have ended.
	Usage(context.Context, Reservation) (Usage, error)

	// Clear ends the call that a reservation pays for, if there is one: its
	// caller is gone and cannot say that it is done.
	Clear(ctx context.Context, id uint32) error

	// Stuck reports whether the server of a domain hangs: no caller waits for
	// the call that it serves, and it has not come back for the next.
	Stuck(context.Context, Domain) (bool, error)

	// Throttle denies background time on a CPU for idle of every period, to all
	// but control domains and the class Critical. Budgets are not affected. idle
	// 0 ends it. It also ends with the lease, and must then be repeated.
	Throttle(ctx context.Context, cpu int, period, idle time.Duration) error

	// CPUs are those of the host, ascending.
	CPUs() ([]int, error)

	// LatencySource opens the counters of memory latency for CPUs that may be
	// throttled; throttle.ErrNoSource if there are none.
	LatencySource(cpus []int) (throttle.Source, error)

	// Renew keeps closed gates and throttles for that long from now. Those that
	// are not renewed are opened automatically, also when this process is dead.
	// ErrLease says that this has happened since the last call; the new lease
	// runs.
	Renew(time.Duration) error

	// Close ends the use of the host. Reservations stay for the rest of the
	// lease.
	Close() error
}
