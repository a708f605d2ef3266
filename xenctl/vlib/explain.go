// SPDX-License-Identifier: Apache-2.0

package vlib

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

// subject is a kind of operations, whose errnos have the same meaning.
type subject int

const (
	aboutHost subject = iota
	aboutReserve
	aboutReservation
	aboutServer
	aboutBind
	aboutDomain
	aboutGetDomain
	aboutCPU
	aboutThrottle
	aboutLease
	aboutCharge
	aboutCall
	aboutCancel
	aboutHold
	aboutListen
)

// meaning is the meaning of an errno for an operation: the error on which to
// branch, and the remedy, which may be empty.
type meaning struct {
	err    error
	remedy string
}

const (
	remedyControl = "only the control domain's root may"
	remedyMake    = "Reserve makes it"
	remedyPool    = "boot Xen with sched=vlib, or move the domain to a cpupool of that scheduler"
)

// everywhere has the meanings that all operations share.
var everywhere = map[unix.Errno]meaning{
	unix.EPERM:      {fs.ErrPermission, remedyControl},
	unix.EACCES:     {fs.ErrPermission, remedyControl},
	unix.ENOSYS:     {ErrAbsent, remedyAbsent},
	unix.EOPNOTSUPP: {ErrUnsupported, "the module is older than this program: 'make hypervisor' builds a new one"},
	unix.EBADMSG:    {ErrVersion, "build program and module from one source"},
	unix.ESRCH:      {ErrNoDomain, ""},
	unix.ENOTCONN:   {ErrDying, ""},
	unix.ENOENT:     {ErrNoReservation, remedyMake},
	unix.ENODEV:     {ErrNoCPU, ""},
	unix.EXDEV:      {ErrOtherScheduler, remedyPool},
	unix.ENOMEM:     {ErrNoMemory, "destroy a domain, or remove reservations"},
	unix.EFAULT:     {ErrBroken, ""},
}

var particular = [...]map[unix.Errno]meaning{
	aboutReserve: {
		unix.EINVAL: {ErrRange, fmt.Sprintf("a reservation's number is 1 to %d", MaxReservations-1)},
		unix.ERANGE: {ErrRange, fmt.Sprintf("the budget is %v or more and at most the period, which is %v to %v; there are 1 to %d servers",
			MinBudget, MinPeriod, MaxPeriod, MaxServers)},
		unix.EDOM:  {ErrServers, "ask for fewer servers"},
		unix.E2BIG: {ErrFull, fmt.Sprintf("all reservations together have at most %d servers", MaxReservations-1)},
	},
	aboutBind: {
		unix.EBUSY: {ErrBusy, "a reservation either adopts one domain or calls others, and cannot be taken from a domain that it is calling: " +
			"undo the adoption, wait for the call's end, or use another reservation"},
		unix.EINVAL: {ErrRange, "a flag is unknown"},
		unix.EDOM:   {ErrServers, "ask for fewer servers"},
		unix.E2BIG:  {ErrFull, fmt.Sprintf("one reservation may call %d domains: Disallow one", MaxCallees)},
	},
	aboutDomain: {
		unix.EPERM:  {fs.ErrPermission, remedyControl + ", and a control domain itself is never gated"},
		unix.EINVAL: {ErrRange, "a flag is unknown, or both set and cleared"},
		unix.ENODEV: {ErrNoClasses, "boot Xen with psr=cat,mba, on a processor that has classes"},
		unix.EOPNOTSUPP: {ErrUnsupported, "a module that came as a live patch stops no time, and lets no class follow calls: " +
			"boot the Xen that 'make hypervisor' builds"},
	},
	aboutGetDomain: {
		unix.ENXIO: {ErrUnknown, "SetDomain, Adopt or Allow makes it known"},
		unix.EXDEV: {ErrOtherScheduler, "move it to a cpupool of the module's scheduler"},
	},
	aboutThrottle: {
		unix.EINVAL: {ErrRange, fmt.Sprintf("the period is %v to %v, and the idle time at most that", MinPeriod, MaxPeriod)},
		unix.EXDEV:  {ErrOtherScheduler, "boot Xen with sched=vlib, or throttle a CPU of a cpupool of that scheduler"},
	},
	aboutCPU: {
		unix.EXDEV: {ErrOtherScheduler, "boot Xen with sched=vlib, or ask for a CPU of a cpupool of that scheduler"},
		unix.EIO:   {ErrUnsupported, "this CPU's counters cannot be read: use another latency source"},
	},
	aboutLease: {
		unix.EINVAL: {ErrRange, fmt.Sprintf("a lease is %v at most, and 0 ends it", MaxPeriod)},
		unix.ERANGE: {ErrRange, fmt.Sprintf("a lease is %v at most, and 0 ends it", MaxPeriod)},
	},
	aboutCharge: {
		unix.ERANGE: {ErrRange, fmt.Sprintf("one charge is at most the reservation's period, and delays the next refill by at most %v", MaxTimeout)},
	},
	aboutCall: {
		unix.ERANGE: {ErrRange, fmt.Sprintf("a timeout is more than 0 and %v at most", MaxTimeout)},
		unix.EINVAL: {ErrRange, "the port is not an event channel from this domain to the called one, or the request has the number 0"},
		unix.ENXIO:  {ErrNotListening, "SetDomain with Listens or Parks is missing"},
		unix.EACCES: {ErrNotAllowed, "Allow is missing"},
		unix.EBUSY:  {ErrBusy, fmt.Sprintf("it has %d calls under way, or one to another domain: wait for the end of one, Cancel one, or use another reservation", MaxCalls)},
	},
	aboutCancel: {
		unix.ESRCH: {ErrNoCall, ""},
	},
	aboutHold: {
		unix.ERANGE: {ErrRange, fmt.Sprintf("a hold is for more than 0 and at most %v", MaxTimeout)},
		unix.ENXIO:  {ErrUnknown, "it has no gate: SetDomain makes it known"},
		unix.ENOENT: {ErrNoHold, ""},
		unix.EBUSY:  {ErrFull, "the gate has 64 holds already"},
	},
	aboutListen: {
		unix.EACCES: {fs.ErrPermission, "the control domain has not allowed this domain to listen: SetDomain with Listens"},
		unix.EPERM: {fs.ErrPermission, "this domain's kernel does not let programs make hypercalls: " +
			"load xen-privcmd with unrestricted=1, or use OpenDirect in a PVH guest"},
		unix.EINVAL: {ErrRange, ""},
	},
	aboutServer:      {unix.EINVAL: {ErrRange, "servers are counted from 0"}},
	aboutReservation: {},
}

const remedyAbsent = "boot the Xen that 'make hypervisor' builds; in the lab, vliblab run --xen vlib"

var errAbsent = fmt.Errorf("%w: %s", ErrAbsent, remedyAbsent)

// explain adds the meaning of an errno for the operation.
func explain(about subject, err error) error {
	var errno unix.Errno
	if err == nil || !errors.As(err, &errno) {
		return err
	}
	m, ok := particular[about][errno]
	if !ok {
		m, ok = everywhere[errno]
	}
	switch {
	case !ok:
		return err
	case m.remedy == "":
		return fmt.Errorf("%w (%w)", m.err, errno)
	}
	return fmt.Errorf("%w (%w): %s", m.err, errno, m.remedy)
}
