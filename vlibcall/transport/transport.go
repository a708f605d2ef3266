// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"time"
)

// ErrInterrupted is returned by [ClientEndpoint].Wait and [Listener].Wait after
// an Interrupt.
var ErrInterrupted = errors.New("interrupted")

// ErrRestored is returned by [Listener].Wait when the domain has become another
// one: it was restored from a saved one, or has migrated. All channels have ended.
// The server closes the listener and opens another one.
var ErrRestored = errors.New("the domain was restored from a saved one, or has migrated")

// Port identifies a server of a domain.
type Port uint32

// Reservation is the number of a reservation; 0 is none.
type Reservation uint32

// Offer is a client's request for a channel.
type Offer struct {
	Port       Port   // of the server in the domain
	Size       int    // bytes, header included; CheckSize accepts it
	Generation uint64 // random; the server copies it into the header
	// Reservation is charged for all calls of the channel; 0: none. A transport
	// without reservations refuses any other with vlibcall.ErrReservation.
	Reservation Reservation
	// BlockCPU asks for a Payment whose Begin waits for the answer, if the transport can
	// do so without the thread that waits.
	BlockCPU bool
}

// Dialer opens channels to one domain.
type Dialer interface {
	// Dial returns an endpoint whose header page the peer has formatted; the
	// caller verifies it.
	Dial(ctx context.Context, offer Offer) (ClientEndpoint, error)
}

// Endpoint is one side of one channel: its memory and the peer's event. It is
// safe for concurrent use.
type Endpoint interface {
	// Header is the header page, HeaderSize bytes, valid until Close.
	Header() []byte
	// Data is the rest of the channel. The first use may map it. Valid until
	// Close.
	Data() ([]byte, error)
	// Notify signals the peer's event. It does not block.
	Notify() error
	// Gone is nil while the peer exists as far as the transport knows. After
	// that it is an error that matches vlibcall.ErrGone and says how the peer
	// ended. It is cheap enough to poll.
	Gone() error
	// Close frees memory and event, and interrupts a Wait. The caller makes sure
	// that the memory is no longer in use. Idempotent.
	Close() error
}

// ClientEndpoint is the client's side, which has an event of its own. Wait is
// for one goroutine at a time.
type ClientEndpoint interface {
	Endpoint
	// Wait blocks until the peer signals (nil; may be spurious), the deadline
	// passes (os.ErrDeadlineExceeded; the zero time never does), the peer is
	// lost (nil, then see Gone), or Interrupt was called (ErrInterrupted). It
	// blocks its thread and uses no CPU time.
	Wait(deadline time.Time) error
	// Interrupt makes the current Wait, or else the next one, return
	// ErrInterrupted.
	Interrupt()
	// Payment charges the reservation of the Offer; nil if it named none.
	Payment() Payment
}

// Payment controls when the reservation of a channel is charged for what the
// peer's domain executes (docs/explanation/scheduling.md). Requests have the
// channel's numbers.
type Payment interface {
	// Begin signals the peer as Notify does. From then on the reservation is
	// charged, until the server has served the request, for at most timeout (0:
	// as long as the scheduler allows). The request is the last of a batch, and
	// stands for the earlier ones of the channel.
	Begin(request uint64, timeout time.Duration) error
	// Urge is Begin for an abandoned request. The server may be serving it
	// already, or may not know of it.
	Urge(request uint64, timeout time.Duration) error
	// End reports that this answer and all earlier ones have arrived. The charge ends within some
	// milliseconds, whatever the server does.
	End(request uint64) error
	// GiveUp reports that the client no longer waits for any answer. It may be
	// repeated.
	GiveUp() error
	// Cost is the cost of the last request, ended or given up.
	Cost(request uint64) (Cost, error)
}

// Cost is what a call made its domain use, and its waits.
type Cost struct {
	Queued      time.Duration // before the domain began
	Foreground  time.Duration // CPU time on the reservation's budget
	Background  time.Duration // CPU time beyond the budget
	Throttled   time.Duration // the domain was ready to run in background, and throttled
	Deschedules uint64        // how often the domain was taken off a CPU while it was runnable

	// What the domain used of the third-level cache and of memory, in bytes:
	// Occupied of the cache at the end, Moved between cache and memory.
	// Everything that the domain ran meanwhile is in it.
	Occupied, Moved           uint64
	OccupiedKnown, MovedKnown bool // false: the host does not count it
}

// Listener is the server's side: it accepts channels and returns those that
// were signalled, in the order of their signals. One goroutine may call Wait
// and use the endpoints; any may call Interrupt and Close.
type Listener interface {
	// Wait blocks until a channel was signalled, lost its client, or was closed
	// by it, and returns that channel. The server closes an endpoint whose Gone
	// is not nil. Errors as for ClientEndpoint.Wait; os.ErrClosed after Close,
	// and ErrRestored. A wait without a deadline is for a server that has nothing to
	// do: the domain's CPUs may be given away until the next call. With one that has
	// passed it only looks.
	Wait(deadline time.Time) (ServerEndpoint, error)
	// Interrupt makes the current Wait, or else the next one, return
	// ErrInterrupted.
	Interrupt()
	// Close refuses new channels and closes all that are open. Idempotent.
	Close() error
}

// ServerEndpoint is the server's side of a channel.
type ServerEndpoint interface {
	Endpoint
	// NotifyLate signals the peer's event, at the latest in the listener's next
	// Wait: a transport that can do both in one system call saves one.
	NotifyLate() error
	// Begin reports that the server begins a request. An error is for the
	// client: its reservation is not charged, and the request is not served.
	Begin(request uint64) error
	// End reports that a request has been served; its answer is published next.
	End(request uint64)
	// Peer is the process that opened the channel; ok is false if the transport
	// does not know it.
	Peer() (p Peer, ok bool)
}

// Peer is a process that opened a channel, as known to the kernel when it
// connected.
type Peer struct {
	PID      int32
	UID, GID uint32
	Groups   []uint32 // supplementary
}
