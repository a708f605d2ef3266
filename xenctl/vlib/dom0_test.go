// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package vlib

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/testkit"
)

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// ready prepares reservation 5 for calls into vlib1.
func ready(t *testing.T) (b *bench, domid uint16, port uint32) {
	t.Helper()
	b = openBench(t)
	domid, port = uint16(b.domids[1]), b.ports[b.domids[1]]
	must(t, b.m.Reserve(5, time.Millisecond, 100*time.Millisecond), b.m.Allow(domid, 5), b.m.SetDomain(domid, Listens, 0))
	return b, domid, port
}

func TestLabInfoDescribesModuleAndHost(t *testing.T) {
	b := openBench(t)
	b.tidy(t)
	b.asBefore(t)
	c, err := b.m.Counters(0)
	must(t, err)
	if c.Kind != CountersNone || c.Time == 0 {
		t.Errorf("below an emulator: %+v", c)
	}
}

func TestLabCallsAreServedAndCounted(t *testing.T) {
	b, domid, port := ready(t)
	for n := uint64(1); n <= 20; n++ {
		_, err := b.m.Call(5, Request{domid, port, n}, callTimeout)
		must(t, err)
		var r Reservation
		testkit.Eventually(t, "the end of a call", func() bool {
			r, err = b.m.Reservation(5)
			must(t, err)
			return r.Call.Over()
		})
		if r.Call != CallDone || r.Calls != n || r.Port != port || r.Request != n || r.Wall <= 0 || r.Budget != time.Millisecond || r.Cost.Foreground+r.Cost.Background > r.Total.Foreground+r.Total.Background {
			t.Errorf("%+v", r)
		}
	}
	d, err := b.m.Domain(domid)
	must(t, err)
	if d.Calls < 20 || d.Flags != Listens {
		t.Errorf("%+v", d)
	}
}

func TestLabFinishEndsItsRequestOnly(t *testing.T) {
	b, domid, port := ready(t)
	must(t, b.m.SetDomain(domid, Parks, Listens))
	first, second := Request{domid, port, 1}, Request{domid, port, 2}
	_, err := b.m.Call(5, first, callTimeout)
	must(t, err)
	if err := b.m.Finish(5, Request{domid, port + 1, 1}); !errors.Is(err, ErrNoCall) {
		t.Errorf("of another port: %v", err)
	}
	must(t, b.m.Finish(5, first))
	if r, err := b.m.Reservation(5); err != nil || r.Call != CallDone {
		t.Errorf("%+v, %v", r, err)
	}
	_, err = b.m.Call(5, second, callTimeout)
	must(t, err)
	if err := b.m.Finish(5, first); !errors.Is(err, ErrNoCall) {
		t.Errorf("again, while the next is under way: %v", err)
	}
	must(t, b.m.FinishAll(5))
}

func TestLabEachRefusalHasItsError(t *testing.T) {
	b, domid, port := ready(t)
	m := b.m
	must(t, m.Reserve(6, time.Millisecond, 100*time.Millisecond), m.Adopt(uint16(b.domids[2]), 6), m.Reserve(7, 20*time.Microsecond, 10*time.Second))
	call := func(domid uint16, port, id uint32, timeout time.Duration) error {
		_, err := m.Call(id, Request{domid, port, 1}, timeout)
		return err
	}
	_, none := m.Reservation(99)
	_, endless := m.Hold(domid, 2*time.Hour)
	_, unknown := m.Domain(0)
	_, cpu := m.CPU(99)
	for name, tt := range map[string]struct{ err, want error }{
		"call without a reservation":       {call(domid, port, 99, time.Second), ErrNoReservation},
		"call on an adopting reservation":  {call(domid, port, 6, time.Second), ErrNotAllowed},
		"call of a missing domain":         {call(999, port, 5, time.Second), ErrNoDomain},
		"call of one that does not listen": {call(uint16(b.domids[2]), b.ports[b.domids[2]], 5, time.Second), ErrNotListening},
		"call by another domain's port":    {call(domid, b.ports[b.domids[2]], 5, time.Second), ErrRange},
		"call without a timeout":           {call(domid, port, 5, 0), ErrRange},
		"cancel nothing":                   {m.Cancel(5, Request{domid, port, 1}), ErrNoCall},
		"cancel nothing at all":            {m.CancelAll(5), ErrNoCall},
		"drop nothing":                     {m.Drop(domid, 1<<31), ErrNoHold},
		"hold without end":                 {endless, ErrRange},
		"charge without end":               {m.Charge(5, 2*time.Hour), ErrRange},
		"charge more than an hour refills": {m.Charge(7, 10*time.Second), ErrRange},
		"adopt with a flag":                {m.bind("adopt by", opAdopt, rawBind{id: 5, domid: uint32(domid), flags: 1}), ErrRange},
		"allow with a flag":                {m.bind("allow", opAllow, rawBind{id: 5, domid: uint32(domid), flags: 2}), ErrRange},
		"lease for long":                   {m.Lease(time.Minute), ErrRange},
		"reserve little":                   {m.Reserve(7, time.Microsecond, time.Second), ErrRange},
		"reserve number 0":                 {m.Reserve(0, time.Millisecond, time.Second), ErrRange},
		"adopt by one that calls":          {m.Adopt(domid, 5), ErrBusy},
		"allow one that adopted":           {m.Allow(domid, 6), ErrBusy},
		"look up no reservation":           {none, ErrNoReservation},
		"look up an unknown domain":        {unknown, ErrUnknown},
		"look up no CPU":                   {cpu, ErrNoCPU},
		"throttle no CPU":                  {m.Throttle(99, time.Second, time.Second), ErrNoCPU},
		"throttle more than the period":    {m.Throttle(0, time.Second, 2*time.Second), ErrRange},
		"gate Dom0":                        {m.SetDomain(0, Closed, 0), fs.ErrPermission},
		"an unknown flag":                  {m.SetDomain(domid, 1<<30, 0), ErrRange},
		"listen where it is not allowed":   {m.Complete(Served{}), fs.ErrPermission},
	} {
		var op *OpError
		if !errors.Is(tt.err, tt.want) || !errors.As(tt.err, &op) {
			t.Errorf("%s: %v, want %v", name, tt.err, tt.want)
		}
	}
	for _, cmd := range []uint64{opCancel, opFinish, opCharge} {
		if _, err := m.values(cmd, 1<<32+5, 1<<32+5, 0, 0); err != unix.ENOENT {
			t.Errorf("sub-operation %d of number 2³²+5: %v", cmd, err)
		}
	}
	must(t, call(domid, port, 5, callTimeout))
	if err := call(domid, port, 5, time.Second); err != nil {
		t.Errorf("again: %v", err)
	}
	older := bytesOf(rawReservation{version: abiVersion - 1, id: 5})
	if _, err := (request{cmd: opGetReservation, mem: older}).make(m); err != unix.EBADMSG || older[0] != abiVersion {
		t.Errorf("a caller of version %d: %v, and the module's is said to be %d", abiVersion-1, err, older[0])
	}
}

func TestLabReservationThatDoesNotFitIsRefused(t *testing.T) {
	b, domid, _ := ready(t)
	must(t, b.m.Reserve(7, 99*time.Millisecond, 100*time.Millisecond))
	err := b.m.Allow(domid, 7)
	var n *NotAdmitted
	if !errors.As(err, &n) || n.CPU < 0 || n.CPU > 1 || n.Response <= 0 {
		t.Fatalf("%v", err)
	}
	if !strings.Contains(err.Error(), "allow reservation 7") {
		t.Errorf("%q", err)
	}
	must(t, b.m.Reserve(7, 9*time.Millisecond, 100*time.Millisecond), b.m.Allow(domid, 7))
	if err := b.m.Reserve(7, 99*time.Millisecond, 100*time.Millisecond); !errors.As(err, &n) || n.Period != 100*time.Millisecond {
		t.Errorf("%v", err)
	}
	r, err := b.m.Reservation(7)
	if err != nil || r.Budget != 9*time.Millisecond || r.Unadmitted != 0 {
		t.Errorf("%+v, %v: it should be unchanged", r, err)
	}
}

func TestLabHotPathAllocatesNothing(t *testing.T) {
	b, domid, port := ready(t)
	r := Request{domid, port, 0}
	for name, f := range map[string]func() error{
		"Call, Cancel": func() error {
			r.Number++
			_, err := b.m.Call(5, r, callTimeout)
			return errors.Join(err, b.m.Cancel(5, r))
		},
		"Hold, Drop": func() error {
			hold, err := b.m.Hold(domid, time.Second)
			return errors.Join(err, b.m.Drop(domid, hold))
		},
		"Lease":  func() error { return b.m.Lease(0) },
		"Charge": func() error { return b.m.Charge(5, time.Microsecond) },
	} {
		if n := testing.AllocsPerRun(100, func() {
			if err := f(); err != nil && !errors.Is(err, ErrNoCall) && !errors.Is(err, ErrNoHold) {
				t.Fatal(err)
			}
		}); n > 1 { // Cancel of a call that ended by itself allocates
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
