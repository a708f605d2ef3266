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

// Call brings a reservation to a domain: what the domain executes until its
// server listens again is paid from it. port is this domain's event channel to
// the server. queued says that others are before it, or this port's own last
// call. The module signals port when the call has begun and the server would not
// find out otherwise; after timeout it takes the reservation back.
func (m *Module) Call(domid uint16, port, id uint32, timeout time.Duration) (queued bool, err error) {
	r, err := m.values(opCall, uint64(domid)<<32|uint64(port), uint64(id), uint64(timeout))
	if err != nil {
		return false, reservationError("call on", id, int(domid), aboutCall, err)
	}
	return r != 0, nil
}

// Cancel takes the reservation back from its call, which is [ErrNoCall] if there
// is none.
func (m *Module) Cancel(id uint32) error {
	_, err := m.values(opCancel, uint64(id), 0, 0)
	return reservationError("cancel the call on", id, nowhere, aboutCancel, err)
}

// Finish says that the answer to the call has come, of a domain that cannot say
// so itself; or that it came at last, to a call that was given up before.
// [ErrNoCall] if there is neither.
func (m *Module) Finish(id uint32) error {
	_, err := m.values(opFinish, uint64(id), 0, 0)
	return reservationError("finish the call on", id, nowhere, aboutCancel, err)
}

// Hold is a hold of a domain's gate: the number that the module gave it.
type Hold uint32

// Hold keeps a domain's gate open until Drop of what it returns, but no longer
// than limit: for what must reach the guest outside a call. The gate is open as
// long as there is any hold. [ErrFull] if there are 64.
func (m *Module) Hold(domid uint16, limit time.Duration) (Hold, error) {
	r, err := m.values(opHold, uint64(domid), 0, uint64(limit))
	return Hold(r), domainError("hold the gate", domid, aboutHold, err)
}

// Drop ends a hold; [ErrNoHold] if it has ended already.
func (m *Module) Drop(domid uint16, hold Hold) error {
	if hold == 0 { // would take one
		return domainError("let go of the gate", domid, aboutHold, unix.ENOENT)
	}
	_, err := m.values(opHold, uint64(domid), uint64(hold), 0)
	return domainError("let go of the gate", domid, aboutHold, err)
}

// Listen says that this domain's server is done with the request that came by
// event channel served (0: none), signals that port if signal is set, and keeps
// the domain off every CPU until it is called. It returns the event channel by
// which it was; or [ErrOpen] at once, when something keeps the gate open.
func (m *Module) Listen(served uint32, signal bool) (port uint32, err error) {
	r, err := m.values(opListen, uint64(served), signalFlag(signal), 0)
	if err != nil {
		return 0, listenError("listen", err)
	}
	return uint32(r), nil
}

// Complete is Listen for a server that goes on to wait for events: the gate
// stays as it is.
func (m *Module) Complete(served uint32, signal bool) error {
	_, err := m.values(opComplete, uint64(served), signalFlag(signal), 0)
	return listenError("complete", err)
}
