// SPDX-License-Identifier: Apache-2.0

package vlib

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// CallState is what became of a reservation's call.
type CallState uint32

// The states. From Done on it is over.
const (
	CallNone      CallState = 0 // there has been none
	CallQueued    CallState = 1 // others are before it
	CallActive    CallState = 2 // the domain runs on the reservation
	CallDone      CallState = 3 // the server listened again, or the caller said Finish
	CallCancelled CallState = 4
	CallTimeout   CallState = 5
	CallGone      CallState = 6 // the domain went away
)

func (s CallState) String() string {
	switch s {
	case CallNone:
		return "none"
	case CallQueued:
		return "queued"
	case CallActive:
		return "active"
	case CallDone:
		return "done"
	case CallCancelled:
		return "cancelled"
	case CallTimeout:
		return "timed out"
	case CallGone:
		return "the domain went away"
	}
	return fmt.Sprintf("state %d", uint32(s))
}

// Over says whether nothing more will come of the call.
func (s CallState) Over() bool { return s >= CallDone }

// MaxCalls is how many calls of one reservation can be under way at once, all to
// one domain: one that is active, or was answered and has not ended yet, and one
// that waits for it.
const MaxCalls = 2

// Request identifies what a call is for.
type Request struct {
	Domain uint16 // that is called
	Port   uint32 // the caller's event channel to its server
	// Number of the request in that channel, from 1 on. Numbers of one port go
	// up: who asks for one has the answers to those before it, or gave them up.
	Number uint64
}

// every names all of a reservation's.
var every Request

func (r Request) where() uint64 { return uint64(r.Domain)<<32 | uint64(r.Port) }

// Call brings a reservation to a domain: what the domain executes until its
// server has served the request is paid from it. The state is CallActive, or
// CallQueued if others are before it, or CallDone if the server had found the
// request, and served it, before the call arrived. The module signals the port
// when the call has begun and the server would not find out otherwise; after
// timeout it takes the reservation back. A Call of a request that is under way
// gives it a new timeout.
func (m *Module) Call(id uint32, r Request, timeout time.Duration) (CallState, error) {
	begun, err := m.values(opCall, r.where(), uint64(id), uint64(timeout), r.Number)
	if err != nil {
		return CallNone, reservationError("call on", id, int(r.Domain), aboutCall, err)
	}
	switch begun {
	case begunActive:
		return CallActive, nil
	case begunQueued:
		return CallQueued, nil
	}
	return CallDone, nil
}

// Cancel takes the reservation back from a request that is given up, which is
// [ErrNoCall] if it is not under way.
func (m *Module) Cancel(id uint32, r Request) error {
	return m.over("cancel the call on", opCancel, id, r)
}

// CancelAll takes it back from whatever is under way.
func (m *Module) CancelAll(id uint32) error {
	return m.over("cancel the calls on", opCancel, id, every)
}

// Finish says that the answer to a request has come, whether or not the server
// says so; or that it came at last, to one that was given up before.
// [ErrNoCall] if there is neither.
func (m *Module) Finish(id uint32, r Request) error {
	return m.over("finish the call on", opFinish, id, r)
}

// FinishAll says it of all of a reservation's requests.
func (m *Module) FinishAll(id uint32) error {
	return m.over("finish the calls on", opFinish, id, every)
}

func (m *Module) over(verb string, op uint64, id uint32, r Request) error {
	_, err := m.values(op, r.where(), uint64(id), r.Number, 0)
	return reservationError(verb, id, nowhere, aboutCancel, err)
}

// Hold is a hold of a domain's gate: the number that the module gave it.
type Hold uint32

// Hold keeps a domain's gate open until Drop of what it returns, but no longer
// than limit: for what must reach the guest outside a call. The gate is open as
// long as there is any hold. [ErrFull] if there are 64.
func (m *Module) Hold(domid uint16, limit time.Duration) (Hold, error) {
	r, err := m.values(opHold, uint64(domid), 0, uint64(limit), 0)
	return Hold(r), domainError("hold the gate", domid, aboutHold, err)
}

// Drop ends a hold; [ErrNoHold] if it has ended already.
func (m *Module) Drop(domid uint16, hold Hold) error {
	if hold == 0 { // would take one
		return domainError("let go of the gate", domid, aboutHold, unix.ENOENT)
	}
	_, err := m.values(opHold, uint64(domid), uint64(hold), 0, 0)
	return domainError("let go of the gate", domid, aboutHold, err)
}

// Served is what a server has done since it listened last.
type Served struct {
	Port uint32 // its event channel to the client; 0: it has served nothing
	// Number of the request. 0: the one that Listen told of, whichever it is.
	Number uint64
	Signal bool // the client waits for the event
}

func (s Served) flags() uint64 {
	if s.Signal {
		return flagSignal
	}
	return 0
}

// Listen says that this domain's server is done with a request and those of its
// port before it, signals the port if the client waits, and keeps the domain off
// every CPU until it is called. It returns the event channel by which it was; or
// [ErrOpen] at once, when something keeps the gate open.
func (m *Module) Listen(s Served) (port uint32, err error) {
	r, err := m.values(opListen, uint64(s.Port), s.flags(), s.Number, 0)
	if err != nil {
		return 0, listenError("listen", err)
	}
	return uint32(r), nil
}

// Complete is Listen for a server that goes on to wait for events: the gate
// stays as it is.
func (m *Module) Complete(s Served) error {
	_, err := m.values(opComplete, uint64(s.Port), s.flags(), s.Number, 0)
	return listenError("complete", err)
}
