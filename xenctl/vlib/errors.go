// SPDX-License-Identifier: Apache-2.0

package vlib

import (
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/xenctl"
)

var (
	// ErrAbsent reports that the hypervisor does not have the hypercall.
	ErrAbsent = errors.New("this hypervisor has no vLibOS module")

	// ErrVersion reports that the module has another version of the interface.
	// It wraps a [VersionError].
	ErrVersion = errors.New("the module speaks another version")

	// ErrOpen tells a server that its gate is held open. There is no call; the
	// server should wait for events, then listen again.
	ErrOpen = errors.New("the gate is held open: wait for events")

	// ErrNotListening reports that a domain may not be called, as it neither
	// listens nor parks.
	ErrNotListening = errors.New("the domain does not listen under the module")

	// ErrNotAllowed reports that a reservation may not be charged for a domain.
	ErrNotAllowed = errors.New("the reservation may not be charged for calls to this domain")

	// ErrBusy reports that a reservation is in use otherwise.
	ErrBusy = errors.New("the reservation is in use")

	// ErrNoReservation reports that there is no reservation with that number.
	ErrNoReservation = errors.New("no such reservation")

	// ErrNoCall reports that the reservation has no call under way.
	ErrNoCall = errors.New("no call is under way")

	// ErrNoHold reports that the hold of the gate has ended already.
	ErrNoHold = errors.New("the gate has no such hold")

	// ErrUnknown reports that the module does not know a domain.
	ErrUnknown = errors.New("the module does not know this domain")

	// ErrOtherScheduler reports that a domain or CPU is not under sched=vlib.
	ErrOtherScheduler = errors.New("another scheduler drives it")

	// ErrDying reports that a domain is shutting down.
	ErrDying = errors.New("the domain is shutting down")

	// ErrNoCPU reports that a CPU does not exist or is offline.
	ErrNoCPU = errors.New("no such CPU online")

	// ErrRange reports that a value is outside of the module's bounds.
	ErrRange = errors.New("out of range")

	// ErrServers reports that a reservation has more servers than the domain has
	// vCPUs.
	ErrServers = errors.New("the domain has fewer vCPUs than the reservation has servers")

	// ErrFull reports that a table of the module is full.
	ErrFull = errors.New("full")

	// ErrUnsupported reports that this module, or this CPU, cannot do it.
	ErrUnsupported = errors.New("not supported by this module")

	// ErrNoClasses reports that Xen allots no cache and no memory bandwidth.
	ErrNoClasses = errors.New("no cache classes")

	// ErrNoMemory reports that the hypervisor has no memory left.
	ErrNoMemory = errors.New("the hypervisor is out of memory")
)

// Errors with the same meaning as in package xenctl are the same.
var (
	ErrNoDomain = xenctl.ErrNoDomain
	ErrBroken   = xenctl.ErrBroken
)

// nowhere is the domain of an operation without one.
const nowhere = -1

// OpError is the error of every operation. It wraps a [NotAdmitted], a
// [VersionError], one of the errors above together with Xen's unix.Errno, or
// os.ErrClosed.
type OpError struct {
	// Op is the operation, for example "call on reservation 5".
	Op string
	// Domain is the domain of the operation; -1 if it has none.
	Domain int
	// Err is the reason, and the remedy.
	Err error
}

func (e *OpError) Error() string {
	op := e.Op
	if e.Domain != nowhere {
		op = fmt.Sprintf("%s, domain %d", op, e.Domain)
	}
	return "vlib: " + op + ": " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *OpError) Unwrap() error { return e.Err }

func opError(op string, domain int, err error) error {
	if err == nil {
		return nil
	}
	return &OpError{Op: op, Domain: domain, Err: err}
}

// VersionError reports that the module has another version of the interface
// than this package. It is an [ErrVersion].
type VersionError struct {
	Ours, Modules uint32
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("this program speaks version %d of the vlib_op interface, the hypervisor's module %d: "+
		"build both from one source ('make hypervisor' builds the module)", e.Ours, e.Modules)
}

// Unwrap returns ErrVersion.
func (e *VersionError) Unwrap() error { return ErrVersion }

// NotAdmitted reports that a reservation does not fit on a CPU: the worst-case
// response time of one reservation there would be longer than its period.
type NotAdmitted struct {
	// CPU is the first CPU on which it does not fit.
	CPU int
	// Server is the one that needs it: with a server for each vCPU, the vCPU.
	Server int
	// Misses is the reservation that would miss its period there; 0 means the
	// control domains' floor.
	Misses uint32
	// Response is the value that the computation of the response time reached.
	Response time.Duration
	// Budget and Period are the requested values; zero if an existing
	// reservation was to be used for another domain.
	Budget, Period time.Duration
}

func (e *NotAdmitted) Error() string {
	missed := fmt.Sprintf("reservation %d", e.Misses)
	if e.Misses == 0 {
		missed = "the control domains' floor"
	}
	return fmt.Sprintf("server %d is not admitted on CPU %d: there, %s would miss its period, with a response time of %v or more: "+
		"ask for a smaller budget or a longer period, remove another reservation, or pin the domain's vCPUs to another CPU",
		e.Server, e.CPU, missed, e.Response)
}
