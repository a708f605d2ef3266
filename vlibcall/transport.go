// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"context"
	"time"
)

// Endpoint is one side of one channel: its memory and the peer's event. It
// is safe for concurrent use.
type Endpoint interface {
	// Header is the header page, HeaderSize bytes, valid until Close.
	Header() []byte
	// Data is the rest of the channel. The first use may map it. Valid
	// until Close.
	Data() ([]byte, error)
	// Notify signals the peer's event. It does not block.
	Notify() error
	// Gone is nil while the peer exists as far as the transport knows, then
	// an error that wraps ErrGone and says what became of it. It is cheap
	// enough to poll.
	Gone() error
	// Close frees memory and event. Idempotent; it interrupts a Wait. The
	// caller makes sure that nobody uses the memory any more.
	Close() error
}

// ClientEndpoint is the client's side, which has an event of its own. Wait
// is for one goroutine at a time.
type ClientEndpoint interface {
	Endpoint
	// Wait blocks until the peer signals (nil; may be spurious), the
	// deadline passes (os.ErrDeadlineExceeded; the zero time never does),
	// the peer is lost (nil, then see Gone), or Interrupt was called
	// (ErrInterrupted). It keeps its thread and burns no CPU.
	Wait(deadline time.Time) error
	// Interrupt makes the current Wait, or else the next one, return
	// ErrInterrupted.
	Interrupt()
}

// Payer is a ClientEndpoint whose calls a reservation can pay for
// (docs/scheduling.md): one of a transport that has a scheduler below it.
type Payer interface {
	ClientEndpoint
	// Begin signals the peer as Notify does, and has the reservation pay for
	// what the peer's domain executes from then until its server has served
	// the request, for at most timeout (0: as long as the scheduler allows).
	// Requests have the channel's numbers.
	Begin(reservation uint32, request uint64, timeout time.Duration) error
	// Urge is Begin for a request that was given up, which the server may be
	// at already, or may never have been told of.
	Urge(reservation uint32, request uint64, timeout time.Duration) error
	// End says that the answer has come. The reservation then pays for it no
	// longer than some milliseconds, whatever the server does.
	End(reservation uint32, request uint64) error
	// GiveUp says that the client does not wait for it any more.
	GiveUp(reservation uint32, request uint64) error
	// Cost is that of the reservation's last call, ended or given up.
	Cost(reservation uint32, request uint64) (Cost, error)
}

// LateNotifier is an Endpoint of a Listener that can put a signal together with
// the next Wait, which then costs less.
type LateNotifier interface {
	Endpoint
	// NotifyLate is Notify, done at the latest by the listener's next Wait.
	NotifyLate() error
}

// Biller is an Endpoint of a Listener whose calls a reservation pays for, where
// the server has to say when that begins and ends.
type Biller interface {
	Endpoint
	// Bill says that the server takes a request up. An error refuses it, and
	// is for the client.
	Bill(request uint64) error
	// Billed says that it has ended, before its answer is published.
	Billed()
}

// Offer is what a client asks of a transport.
type Offer struct {
	Port       uint32 // which vLib OS server in the domain
	Size       int    // bytes in all, header included; CheckSize holds
	Generation uint64 // random; the server copies it into the header
	// Reservation that pays for the calls, 0 for none. A transport that has
	// none refuses it; its endpoint is a Payer otherwise.
	Reservation uint32
}

// Dialer opens channels to one domain. The endpoint it returns has a header
// page that the peer has formatted; Open verifies it.
type Dialer interface {
	Dial(ctx context.Context, offer Offer) (ClientEndpoint, error)
}

// Listener is the server side: it accepts channels and hands out the ones
// that were signalled, in the order of their signals. For one server
// goroutine; Interrupt and Close from anywhere.
type Listener interface {
	// Wait blocks until a channel was signalled, lost its client, or was
	// closed by it, and returns it. The server closes an endpoint whose
	// Gone is not nil. Errors as for ClientEndpoint.Wait; ErrClosed after
	// Close.
	Wait(deadline time.Time) (Endpoint, error)
	Interrupt()
	// Close refuses new channels and closes those that the server still
	// holds. Idempotent.
	Close() error
}
