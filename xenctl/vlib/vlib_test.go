// SPDX-License-Identifier: Apache-2.0

package vlib

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestOtherVersionsOfTheModuleAreErrors(t *testing.T) {
	if err := judgeVersion(abiVersion, nil); err != nil {
		t.Error(err)
	}
	err := judgeVersion(0, unix.ENOSYS)
	if !errors.Is(err, ErrAbsent) || !strings.Contains(err.Error(), "make hypervisor") {
		t.Errorf("without the module: %v", err)
	}
	err = judgeVersion(abiVersion+6, nil)
	var v *VersionError
	if !errors.Is(err, ErrVersion) || !errors.As(err, &v) || v.Ours != abiVersion || v.Modules != abiVersion+6 ||
		!strings.Contains(err.Error(), fmt.Sprintf("version %d ", abiVersion)) || !strings.Contains(err.Error(), fmt.Sprintf("module %d:", abiVersion+6)) {
		t.Errorf("another version: %v", err)
	}
	if err = judgeVersion(0, unix.EPERM); !errors.Is(err, fs.ErrPermission) || errors.Is(err, ErrAbsent) {
		t.Errorf("a kernel that lets no program ask: %v", err)
	}
}

func TestEachErrnoHasItsErrorAndRemedy(t *testing.T) {
	for _, tt := range []struct {
		about  subject
		errno  unix.Errno
		want   error
		remedy string
	}{
		{aboutCall, unix.ENXIO, ErrNotListening, "SetDomain with Listens or Parks is missing"},
		{aboutCall, unix.EACCES, ErrNotAllowed, "Allow is missing"},
		{aboutCall, unix.EBUSY, ErrBusy, "Cancel"},
		{aboutCall, unix.ERANGE, ErrRange, "1h0m0s"},
		{aboutCall, unix.EPERM, fs.ErrPermission, "control domain"},
		{aboutCall, unix.ESRCH, ErrNoDomain, ""},
		{aboutCall, unix.ENOENT, ErrNoReservation, "Reserve"},
		{aboutCall, unix.ENOTCONN, ErrDying, ""},
		{aboutCancel, unix.ESRCH, ErrNoCall, ""},
		{aboutReserve, unix.ERANGE, ErrRange, "20µs"},
		{aboutReserve, unix.EINVAL, ErrRange, "4095"},
		{aboutBind, unix.EBUSY, ErrBusy, "another reservation"},
		{aboutBind, unix.E2BIG, ErrFull, "64"},
		{aboutDomain, unix.EXDEV, ErrOtherScheduler, "sched=vlib"},
		{aboutDomain, unix.EPERM, fs.ErrPermission, "never gated"},
		{aboutGetDomain, unix.ENXIO, ErrUnknown, "SetDomain"},
		{aboutHold, unix.ENOENT, ErrNoHold, ""},
		{aboutThrottle, unix.EXDEV, ErrOtherScheduler, "cpupool"},
		{aboutThrottle, unix.ENODEV, ErrNoCPU, ""},
		{aboutCPU, unix.EIO, ErrUnsupported, "latency source"},
		{aboutLease, unix.EINVAL, ErrRange, "10s"},
		{aboutListen, unix.EACCES, fs.ErrPermission, "SetDomain"},
		{aboutListen, unix.EPERM, fs.ErrPermission, "unrestricted=1"},
		{aboutHost, unix.EOPNOTSUPP, ErrUnsupported, "older"},
		{aboutHost, unix.EBADMSG, ErrVersion, "one source"},
		{aboutHost, unix.EFAULT, ErrBroken, ""},
	} {
		err := explain(tt.about, tt.errno)
		if !errors.Is(err, tt.want) || !errors.Is(err, tt.errno) || !strings.Contains(err.Error(), tt.remedy) {
			t.Errorf("%d, %v: %v", tt.about, tt.errno, err)
		}
	}
	if explain(aboutCall, nil) != nil {
		t.Error("no error became one")
	}
	if err := explain(aboutCall, unix.EXFULL); err != unix.EXFULL {
		t.Errorf("an errno without a meaning: %v", err)
	}
}

func TestErrorsNameTheirObject(t *testing.T) {
	err := reservationError("call on", 5, 3, aboutCall, unix.ENXIO)
	var op *OpError
	if !errors.As(err, &op) || op.Domain != 3 || op.Op != "call on reservation 5" {
		t.Errorf("%#v", err)
	}
	if want := "vlib: call on reservation 5, domain 3: the domain does not listen"; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%q", err)
	}
	if err := cpuError("throttle", 7, aboutThrottle, unix.ENODEV); !strings.Contains(err.Error(), "throttle CPU 7: no such CPU") {
		t.Errorf("%q", err)
	}
}

func TestNotAdmittedNamesTheReasonAndTheRemedy(t *testing.T) {
	err := opError("reserve reservation 2", nowhere, &NotAdmitted{CPU: 1, Misses: 9, Response: 12 * time.Millisecond})
	var n *NotAdmitted
	if !errors.As(err, &n) || n.CPU != 1 {
		t.Errorf("%v", err)
	}
	for _, part := range []string{"CPU 1", "reservation 9", "12ms"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %s", err, part)
		}
	}
	if s := (&NotAdmitted{}).Error(); !strings.Contains(s, "control domains") {
		t.Errorf("the floor: %q", s)
	}
}

// A server gets this error thousands of times a second.
func TestErrOpenAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		if listenError("listen", unix.EAGAIN) != ErrOpen {
			t.Fatal("EAGAIN is not ErrOpen")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRecordsBecomePublic(t *testing.T) {
	r := rawReservation{id: 3, budget: 5, period: 10, left: -4, domid: noDomain, call: 5, total: rawCost{deschedules: 8}, cost: rawCost{throttled: 7}}.public()
	if r.Domain != nowhere || r.Left != -4 || r.Call != CallTimeout || !r.Call.Over() || r.Total.Deschedules != 8 || r.Cost.Throttled != 7 {
		t.Errorf("%+v", r)
	}
	if r := (rawReservation{domid: 0, next: math.MaxInt64}).public(); r.Domain != 0 || r.Next < 0 {
		t.Errorf("%+v", r)
	}
	d := rawDomain{domid: 7, flags: 9, open: 1, reservation: 2, holds: 1}.public()
	if d.ID != 7 || d.Flags != Listens|Parks || !d.Open || d.Listening || d.Reservation != 2 || d.Holds != 1 {
		t.Errorf("%+v", d)
	}
	i := rawInfo{features: featureHost, counters: 3, lease: 5}.public()
	if !i.Host || i.Counters != CountersAMDL3 || i.Lease != 5 {
		t.Errorf("%+v", i)
	}
	if c := (rawCPU{cpu: 1, admitted: 250_000}).public(); c.ID != 1 || c.Admitted != 0.25 {
		t.Errorf("%+v", c)
	}
	if c := (rawCounters{}).public(); c.Kind.String() != "none here" {
		t.Errorf("%+v", c)
	}
}

func TestStatesAndFlagsHaveNames(t *testing.T) {
	for want, s := range map[string]fmt.Stringer{
		"listens closed": Listens | Closed, "stop-time parks critical user-mode follows 0x80": StopTime | Parks | Critical | UserMode | Follows | 128, "": DomainFlags(0),
		"queued": CallQueued, "timed out": CallTimeout, "state 99": CallState(99),
		"AMD L3": CountersAMDL3, "kind 9": CounterKind(9),
	} {
		if s.String() != want {
			t.Errorf("%q, want %q", s, want)
		}
	}
}
