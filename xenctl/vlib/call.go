// SPDX-License-Identifier: Apache-2.0

package vlib

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// CallState is the state of a reservation's call.
type CallState uint32

// The states. From CallDone on the call is over.
const (
	CallNone      CallState = 0 // there was none
	CallQueued    CallState = 1 // others are ahead of it
	CallActive    CallState = 2 // the domain runs on the reservation
	CallDone      CallState = 3 // the server listened again, or the caller called Finish
	CallCancelled CallState = 4
	CallTimeout   CallState = 5
	CallGone      CallState = 6 // the domain is gone
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
		return "the domain is gone"
	}
	return fmt.Sprintf("state %d", uint32(s))
}

// Over reports whether the call has ended.
func (s CallState) Over() bool { return s >= CallDone }

// MaxCalls is how many calls of one reservation can be under way at once, all
// to one domain: one that is active, or was answered and has not ended yet, and
// one that waits for it.
const MaxCalls = 2

// Request identifies the request of a call.
type Request struct {
	Domain uint16 // the called domain
	Port   uint32 // the caller's event channel to its server
	// Number of the request in that channel, from 1 on. The numbers of a port
	// increase: a client that makes a request has the answers to its earlier
	// ones, or has given them up.
	Number uint64
}

// every stands for all of a reservation's requests.
var every Request

func (r Request) where() uint64 { return uint64(r.Domain)<<32 | uint64(r.Port) }

// Call charges a reservation for everything that a domain runs until its server
// has served the request. The state is CallActive, or CallQueued if others are
// ahead of it, or CallDone if the server had found and served the request
// before the call arrived. When the call has begun the module signals the port,
// unless the server learns of it anyway. The call ends after timeout. A Call of
// a request that is under way sets a new timeout.
func (m *Module) Call(id uint32, r Request, timeout time.Duration) (CallState, error) {
	return m.call(id, 0, r, timeout)
}

// WaitsSince is the first revision of the module that knows CallAndWait.
const WaitsSince = 4

// CallAndWait is Call, but the calling vCPU then runs nothing, other threads included,
// until the call has ended, or an interrupt comes for the vCPU: Linux' tick at the latest.
// The state is that before the wait.
func (m *Module) CallAndWait(id uint32, r Request, timeout time.Duration) (CallState, error) {
	return m.call(id, callWait, r, timeout)
}

func (m *Module) call(id uint32, flags uint64, r Request, timeout time.Duration) (CallState, error) {
	begun, err := m.values(opCall, r.where(), uint64(id)|flags, uint64(timeout), r.Number)
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

// Cancel ends the call of a request that is given up. [ErrNoCall]: it is not
// under way.
func (m *Module) Cancel(id uint32, r Request) error {
	return m.over("cancel the call on", opCancel, id, r)
}

// CancelAll cancels all calls of a reservation.
func (m *Module) CancelAll(id uint32) error {
	return m.over("cancel the calls on", opCancel, id, every)
}

// Finish reports that the answer to a request has arrived, whether or not the
// server reports it, or that a late answer to an abandoned request has.
// [ErrNoCall]: there is no such request.
func (m *Module) Finish(id uint32, r Request) error {
	return m.over("finish the call on", opFinish, id, r)
}

// FinishAll does so for all of a reservation's requests.
func (m *Module) FinishAll(id uint32) error {
	return m.over("finish the calls on", opFinish, id, every)
}

func (m *Module) over(verb string, op uint64, id uint32, r Request) error {
	_, err := m.values(op, r.where(), uint64(id), r.Number, 0)
	return reservationError(verb, id, nowhere, aboutCancel, err)
}

// Hold is the number of a hold of a domain's gate, chosen by the module.
type Hold uint32

// Hold keeps a domain's gate open until Drop of the returned hold, but no
// longer than limit, so that something can reach the guest outside of a call.
// The gate is open while it has any hold. [ErrFull]: it has 64.
func (m *Module) Hold(domid uint16, limit time.Duration) (Hold, error) {
	r, err := m.values(opHold, uint64(domid), 0, uint64(limit), 0)
	return Hold(r), domainError("hold the gate", domid, aboutHold, err)
}

// Drop ends a hold. [ErrNoHold]: it has ended already.
func (m *Module) Drop(domid uint16, hold Hold) error {
	if hold == 0 { // 0 would take a hold
		return domainError("drop a hold of the gate", domid, aboutHold, unix.ENOENT)
	}
	_, err := m.values(opHold, uint64(domid), uint64(hold), 0, 0)
	return domainError("drop a hold of the gate", domid, aboutHold, err)
}

// Served is what a server has done since it last listened.
type Served struct {
	Port uint32 // its event channel to the client; 0: it has served nothing
	// Number of the request. 0: the one that Listen reported.
	Number uint64
	Signal bool // the client waits for the event
}

func (s Served) flags() uint64 {
	if s.Signal {
		return flagSignal
	}
	return 0
}

// Listen reports that this domain's server has finished a request and earlier
// ones of its port, signals the port if the client waits, and keeps the domain
// off every CPU until it is called. It returns the event channel of the call;
// or [ErrOpen] at once, if the gate is held open.
func (m *Module) Listen(s Served) (port uint32, err error) {
	r, err := m.values(opListen, uint64(s.Port), s.flags(), s.Number, 0)
	if err != nil {
		return 0, listenError("listen", err)
	}
	return uint32(r), nil
}

// Complete is Listen for a server that then waits for events: the gate does not
// change.
func (m *Module) Complete(s Served) error {
	_, err := m.values(opComplete, uint64(s.Port), s.flags(), s.Number, 0)
	return listenError("complete", err)
}
