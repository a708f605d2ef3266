// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package vlib

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// operation is a sub-operation as docs/reference/hypercall.md describes it.
type operation struct {
	name    string
	size    int // of its structure; 0: values only
	errnos  []unix.Errno
	highest uint64 // result
}

// operations has all of them; errnos that every structure adds are in refused.
var operations = map[uint64]operation{
	opVersion:        {"version", 0, nil, abiVersion},
	opListen:         {"listen", 0, []unix.Errno{unix.EACCES, unix.EINVAL}, 0},
	opComplete:       {"complete", 0, []unix.Errno{unix.EACCES, unix.EINVAL}, 0},
	opCall:           {"call", 0, []unix.Errno{unix.ERANGE, unix.ESRCH, unix.ENOTCONN, unix.EINVAL, unix.ENOENT, unix.ENXIO, unix.EACCES, unix.EBUSY}, 2},
	opCancel:         {"cancel", 0, []unix.Errno{unix.ENOENT, unix.ESRCH}, 0},
	opFinish:         {"finish", 0, []unix.Errno{unix.ENOENT, unix.ESRCH}, 0},
	opHold:           {"hold", 0, []unix.Errno{unix.ESRCH, unix.ERANGE, unix.ENXIO, unix.ENOENT, unix.EBUSY}, math.MaxInt32},
	opLease:          {"lease", 0, []unix.Errno{unix.EINVAL, unix.ERANGE}, 0},
	opCharge:         {"charge", 0, []unix.Errno{unix.ERANGE, unix.ENOENT}, 0},
	opInfo:           {"info", size[rawInfo](), nil, 0},
	opReserve:        {"reserve", size[rawReserve](), []unix.Errno{unix.EINVAL, unix.ERANGE, unix.E2BIG, unix.EDOM, unix.ENOSPC, unix.ENOMEM}, 0},
	opUnreserve:      {"unreserve", size[rawReserve](), []unix.Errno{unix.ENOENT}, 0},
	opAdopt:          {"adopt", size[rawBind](), []unix.Errno{unix.ESRCH, unix.ENOTCONN, unix.EINVAL, unix.ENOMEM, unix.ENOENT, unix.EBUSY, unix.EDOM, unix.ENOSPC}, 0},
	opAllow:          {"allow", size[rawBind](), []unix.Errno{unix.ESRCH, unix.ENOTCONN, unix.ENOMEM, unix.ENOENT, unix.EBUSY, unix.ENOSPC, unix.E2BIG, unix.EINVAL}, 0},
	opDomain:         {"domain", size[rawDomctl](), []unix.Errno{unix.ESRCH, unix.ENOTCONN, unix.EINVAL, unix.EPERM, unix.EXDEV, unix.ENOMEM, unix.ENODEV, unix.EOPNOTSUPP}, 0},
	opThrottle:       {"throttle", size[rawThrottle](), []unix.Errno{unix.EINVAL, unix.ENODEV, unix.EXDEV}, 0},
	opGetReservation: {"get_reservation", size[rawReservation](), []unix.Errno{unix.ENOENT}, 0},
	opGetDomain:      {"get_domain", size[rawDomain](), []unix.Errno{unix.ESRCH, unix.ENOTCONN, unix.ENXIO}, 0},
	opGetCPU:         {"get_cpu", size[rawCPU](), []unix.Errno{unix.ENODEV, unix.EXDEV}, 0},
	opGetServer:      {"get_server", size[rawServer](), []unix.Errno{unix.ENOENT, unix.EINVAL}, 0},
	opGetUse:         {"get_use", size[rawUse](), []unix.Errno{unix.ESRCH, unix.ENOTCONN, unix.EXDEV}, 0},
	opGetCounters:    {"get_counters", size[rawCounters](), []unix.Errno{unix.ENODEV, unix.EIO}, 0},
}

func size[T any]() int {
	var s T
	return int(unsafe.Sizeof(s))
}

// judge returns what is wrong with an answer to a control domain.
func judge(cmd, result uint64, err error) error {
	op, known := operations[cmd]
	switch {
	case !known && err != unix.EOPNOTSUPP:
		return fmt.Errorf("unknown sub-operation %#x: %d, %v, want EOPNOTSUPP", cmd, result, err)
	case !known:
		return nil
	case err == nil && result > op.highest:
		return fmt.Errorf("%s: result %#x, want at most %d", op.name, result, op.highest)
	case err == nil:
		return nil
	case op.size > 0 && (err == unix.EFAULT || err == unix.EBADMSG):
		return nil
	}
	if errno, ok := err.(unix.Errno); !ok || !slices.Contains(op.errnos, errno) {
		return fmt.Errorf("%s: %v, which docs/reference/hypercall.md does not list", op.name, err)
	}
	return nil
}

// consistent returns what is wrong with a structure that came back.
func consistent(cmd uint64, mem []byte) error {
	p := unsafe.Pointer(&mem[0])
	ok := true
	var got any
	switch cmd {
	case opInfo:
		i := (*rawInfo)(p)
		ok = i.version == abiVersion && i.reservations < MaxReservations && i.domains < 16 && i.cpus > 0 && i.lease <= uint64(MaxPeriod)
		got = *i
	case opGetReservation:
		r := (*rawReservation)(p)
		ok = r.version == abiVersion && r.call <= uint32(CallGone) && r.left <= int64(r.budget)*int64(r.servers) && r.budget <= r.period &&
			r.refills >= 1 && r.refills <= 32*r.servers && r.servers >= 1 && r.servers <= MaxServers &&
			r.memory.known&^(memoryOccupied|memoryMoved) == 0 && r.memory.pad == 0
		got = *r
	case opGetServer:
		s := (*rawServer)(p)
		ok = s.version == abiVersion && s.server < MaxServers && s.left <= int64(MaxPeriod)
		got = *s
	case opGetDomain:
		d := (*rawDomain)(p)
		ok = d.version == abiVersion && d.open <= 1 && d.listening <= 1 && d.active <= 1 && d.busy < MaxReservations && d.queued < MaxReservations && DomainFlags(d.flags)&^allFlags == 0
		got = *d
	case opGetUse:
		u := (*rawUse)(p)
		ok = u.version == abiVersion && u.vcpus > 0 && u.pad == 0
		got = *u
	case opGetCPU:
		c := (*rawCPU)(p)
		ok = c.version == abiVersion && c.admitted <= 1_000_000 && c.throttle <= c.period
		got = *c
	case opGetCounters:
		c := (*rawCounters)(p)
		ok = c.version == abiVersion && c.width <= 64 && c.pad == 0
		got = *c
	}
	if !ok {
		return fmt.Errorf("%s: %+v", operations[cmd].name, got)
	}
	return nil
}
