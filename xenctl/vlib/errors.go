// SPDX-License-Identifier: Apache-2.0

package vlib

import (
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/xenctl"
)

var (
	// ErrAbsent says that the hypervisor does not know the hypercall.
	ErrAbsent = errors.New("this hypervisor has no vLibOS module")

	// ErrVersion says that the module speaks another version of the
	// interface: a [VersionError] is inside.
	ErrVersion = errors.New("the module speaks another version")

	// ErrOpen says to a server that its gate is held open: nothing has been
	// called, and it should wait for events, then listen again.
	ErrOpen = errors.New("the gate is held open: wait for events")

	// ErrNotListening says that a domain may not be called: nobody has said
	// that it listens, or parks.
	ErrNotListening = errors.New("the domain does not listen under the module")

	// ErrNotAllowed says that a reservation may not be brought to a domain.
	ErrNotAllowed = errors.New("the reservation may not be brought to this domain")

	// ErrBusy says that a reservation is in use otherwise.
	ErrBusy = errors.New("the reservation is in use")

	// ErrNoReservation says that nobody has made a reservation of that number.
	ErrNoReservation = errors.New("no such reservation")

	// ErrNoCall says that the reservation has no call under way.
	ErrNoCall = errors.New("no call is under way")

	// ErrNoHold says that the gate is not held: the hold was over before.
	ErrNoHold = errors.New("the gate is not held")

	// ErrUnknown says that nobody has told the module of a domain.
	ErrUnknown = errors.New("the module was not told of this domain")

	// ErrOtherScheduler says that a domain or CPU is not under sched=vlib.
	ErrOtherScheduler = errors.New("another scheduler drives it")

	// ErrDying says that a domain is shutting down.
	ErrDying = errors.New("the domain is going away")

	// ErrNoCPU says that a CPU does not exist or is offline.
	ErrNoCPU = errors.New("no such CPU online")

	// ErrRange says that a value is outside the module's bounds.
	ErrRange = errors.New("out of range")

	// ErrFull says that a table of the module is full.
	ErrFull = errors.New("full")

	// ErrUnsupported says that this module, or this CPU, cannot do it.
	ErrUnsupported = errors.New("not supported by this module")

	// ErrNoMemory says that the hypervisor has no memory left.
	ErrNoMemory = errors.New("the hypervisor is out of memory")
)

// Errors that mean the same as in package xenctl are the same.
var (
	ErrNoDomain = xenctl.ErrNoDomain
	ErrBroken   = xenctl.ErrBroken
)

// nowhere is the domain of an operation that concerns none.
const nowhere = -1

// OpError is the error of every operation. Inside is a [NotAdmitted], a
// [VersionError], or one of the errors above together with the unix.Errno that
// Xen answered; or os.ErrClosed.
type OpError struct {
	// Op is the operation, for example "call on reservation 5".
	Op string
	// Domain is the one that it concerned; -1 if none.
	Domain int
	// Err is the reason, and the way out.
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

// VersionError says that the module speaks another version of the interface
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

// NotAdmitted says that a reservation does not fit on a CPU: somebody's
// worst-case response time would be longer than its period.
type NotAdmitted struct {
	// CPU is the first on which it does not fit.
	CPU int
	// Misses is the reservation that would miss its period there; 0 stands
	// for what is kept for control domains.
	Misses uint32
	// Response is the response time up to which its computation came.
	Response time.Duration
	// Budget and Period are what was asked for; zero where a reservation was
	// to be taken to another domain.
	Budget, Period time.Duration
}

func (e *NotAdmitted) Error() string {
	who := fmt.Sprintf("reservation %d", e.Misses)
	if e.Misses == 0 {
		who = "what is kept for the control domains"
	}
	return fmt.Sprintf("not admitted on CPU %d: there, %s would miss its period, with a response time of %v or more: "+
		"ask for a smaller budget or a longer period, take another reservation back, or pin the domain's vCPUs to another CPU",
		e.CPU, who, e.Response)
}
