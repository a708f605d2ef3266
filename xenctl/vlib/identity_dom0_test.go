// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package vlib

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
)

// quiet stops the guest's server from listening, and returns a function that
// makes it report a finished request instead.
func (b *bench) quiet(t *testing.T, domid uint16) (done func(number uint64)) {
	t.Helper()
	write := func(node, text string) {
		t.Helper()
		must(t, b.store.Write(context.Background(), b.node(uint32(domid), node), []byte(text)))
	}
	task := func(text string) {
		t.Helper()
		write("result", "")
		write("task", text)
		testkit.Eventually(t, "the guest has done its task: "+text, func() bool { return b.read(t, uint32(domid), "result") == text })
	}
	hold, err := b.m.Hold(domid, callTimeout) // else it would not run
	must(t, err)
	task("quiet")
	must(t, b.m.Drop(domid, hold))
	t.Cleanup(func() {
		must(t, b.m.SetDomain(domid, 0, Listens)) // else it would be stopped
		task("listen")
		write("result", "")
	})
	return func(number uint64) { t.Helper(); task(fmt.Sprint("done ", number)) }
}

// is checks the state of the most recent call.
func (b *bench) is(t *testing.T, id uint32, number uint64, want CallState) Reservation {
	t.Helper()
	r, err := b.m.Reservation(id)
	must(t, err)
	if r.Request != number || r.Call != want {
		t.Fatalf("request %d is %v, want request %d, %v", r.Request, r.Call, number, want)
	}
	return r
}

// A server's report on one request ends no other request of the same port.
func TestLabFreshCallIsServed(t *testing.T) {
	b, domid, port := ready(t)
	done := b.quiet(t, domid)
	_, err := b.m.Call(5, Request{domid, port, 3}, callTimeout)
	must(t, err)
	done(2)
	b.is(t, 5, 3, CallActive)
	done(3)
	b.is(t, 5, 3, CallDone)
}

// A call that follows another one of the same port has its own deadline.
func TestLabRepeatedCallHasItsOwnDeadline(t *testing.T) {
	b, domid, port := ready(t)
	done := b.quiet(t, domid)
	_, err := b.m.Call(5, Request{domid, port, 1}, 50*time.Millisecond)
	must(t, err)
	state, err := b.m.Call(5, Request{domid, port, 2}, callTimeout)
	if must(t, err); state != CallQueued {
		t.Fatalf("behind the first it is %v", state)
	}
	testkit.Eventually(t, "the first is over", func() bool {
		d, err := b.m.Domain(domid)
		must(t, err)
		return d.Reservation == 0
	})
	b.is(t, 5, 2, CallQueued)
	done(1) // a late report
	b.is(t, 5, 2, CallActive)
	done(2)
	b.is(t, 5, 2, CallDone)
}

// Requests that the server finds before it listens are counted one by one, and
// so is one that it served before the call for it arrived.
func TestLabPolledRequestsAreCounted(t *testing.T) {
	b, domid, port := ready(t)
	done := b.quiet(t, domid)
	before, err := b.m.Domain(domid)
	must(t, err)
	call := func(number uint64, want CallState) {
		t.Helper()
		state, err := b.m.Call(5, Request{domid, port, number}, callTimeout)
		if must(t, err); state != want {
			t.Errorf("request %d is %v, want %v", number, state, want)
		}
	}
	call(1, CallActive)
	call(2, CallQueued)
	call(3, CallQueued)
	done(3)
	b.is(t, 5, 3, CallDone)
	done(4)
	call(4, CallDone)
	after, err := b.m.Domain(domid)
	must(t, err)
	if r := b.is(t, 5, 4, CallDone); r.Calls != 4 || after.Calls-before.Calls != 4 {
		t.Errorf("of four calls %d are counted, %d as done", r.Calls, after.Calls-before.Calls)
	}
}

// A server answers and never listens again. Its caller's reservation is charged
// only until its client has the answer, and the next call begins.
func TestLabAnsweredCallIsPaidNoLonger(t *testing.T) {
	b, domid, port := ready(t)
	b.quiet(t, domid)
	for n := uint64(1); n <= 3; n++ {
		state, err := b.m.Call(5, Request{domid, port, n}, callTimeout)
		if must(t, err); state != CallActive {
			t.Errorf("call %d is %v", n, state)
		}
		must(t, b.m.Finish(5, Request{domid, port, n}))
		b.is(t, 5, n, CallDone)
		d, err := b.m.Domain(domid)
		if must(t, err); d.Reservation != 0 {
			t.Errorf("reservation %d is charged", d.Reservation)
		}
	}
	if err := b.m.Finish(5, Request{domid, port, 3}); !errors.Is(err, ErrNoCall) {
		t.Errorf("again: %v", err)
	}
}
