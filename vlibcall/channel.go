// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

const (
	// DefaultPort is the port of a server for which none was given.
	DefaultPort transport.Port = 1
	// DefaultSize of a channel, in bytes: it passes 60 KiB in and out together.
	DefaultSize = 64 << 10
)

// Options of a channel. The zero value is a sensible default.
type Options struct {
	// Peer is how errors of calls name the server, for example "domain web"; empty:
	// they do not.
	Peer string
	// Port of the server in the domain; default DefaultPort.
	Port transport.Port
	// Size of the channel in bytes, its header page included: a multiple of 4096.
	// Input and output of a call have to fit into it. Default DefaultSize.
	Size int
	// InFlight is how many requests may be in the channel at a time: 1, 2, 4, 8 or
	// 16, for batches and for calls of several goroutines. The data area is divided
	// among them. Further calls wait. Default 1.
	InFlight int
	// Period of the caller's work, for servers that serve the shortest period
	// first. 0: none.
	Period time.Duration
	// Wait is how calls wait for their answer.
	Wait WaitPolicy
	// MaxSpin bounds the spinning of SpinThenBlock. Default 50 µs, about
	// what sleeping and waking costs.
	MaxSpin time.Duration
	// Timeout of a call whose context has no earlier deadline, its wait behind
	// other calls and sessions of the channel included. 0: none. It costs less
	// than a context with a deadline, which allocates.
	Timeout time.Duration
	// Reservation is charged for everything that the domain executes for this
	// channel's calls (docs/explanation/scheduling.md); a batch is one call. 0: none.
	Reservation transport.Reservation
	// Record, if not nil, gets what each call cost and the error of its caller
	// when the call has ended. It runs in the call's goroutine, so several may run
	// at the same time; it must neither block nor use the channel. Package receipt
	// has one that keeps histograms.
	Record func(library, function string, r Receipt, err error)
}

// Channel is the client's side of a channel. All methods are safe for concurrent
// use. The server takes the calls in the order in which they were made.
type Channel struct {
	area
	ep      transport.ClientEndpoint
	payment transport.Payment // nil: no reservation pays
	opts    Options
	turn    turn
	async   sync.WaitGroup
	closed  atomic.Bool

	abandoned atomic.Int32 // requests that were given up and are not answered
	late      atomic.Uint64

	// The fields below are the leader's; see turn.
	low, next uint64 // the first request that may be unanswered, and the next
	flights   [transport.MaxInFlight]flight
	me        *party // which leads
	others    int    // requests in the channel for which the leader does not wait
	wanting   int    // requests in the channel that were not given up
	broken    error  // after a protocol violation
	functions functions
	spin      adaptiveSpin
	patience  patience
	waits     waits

	single party // of a goroutine that is alone on the channel
	first  [1]Request
}

// Open sets up a channel (vLib_init) with a server of the domain that d leads to.
// ctx bounds the opening. The first call that needs the data area maps it. The
// caller closes the channel.
func Open(ctx context.Context, d transport.Dialer, opts Options) (*Channel, error) {
	opts.Port = cmp.Or(opts.Port, DefaultPort)
	opts.Size = cmp.Or(opts.Size, DefaultSize)
	opts.InFlight = cmp.Or(opts.InFlight, 1)
	opts.MaxSpin = cmp.Or(opts.MaxSpin, 50*time.Microsecond)
	c, err := open(ctx, d, opts)
	if err != nil {
		return nil, &OpError{Op: "open", Target: fmt.Sprintf("port %d", opts.Port), Err: err}
	}
	return c, nil
}

func open(ctx context.Context, d transport.Dialer, opts Options) (*Channel, error) {
	if err := transport.CheckSize(opts.Size); err != nil {
		return nil, err
	}
	if err := transport.CheckInFlight(opts.InFlight); err != nil {
		return nil, err
	}
	generation := rand.Uint64()
	ep, err := d.Dial(ctx, transport.Offer{Port: opts.Port, Size: opts.Size, Generation: generation, Reservation: opts.Reservation, BlockCPU: opts.Wait == BlockCPU})
	if err != nil {
		return nil, err
	}
	payment := ep.Payment()
	if opts.Reservation != 0 && payment == nil {
		return nil, errors.Join(fmt.Errorf("%w: this transport has none: name none", ErrReservation), ep.Close())
	}
	h, err := transport.HeaderOf(ep.Header())
	if err == nil {
		if err = h.Attach(opts.Size, generation, opts.InFlight, max(opts.Period, 0)); err != nil {
			err = fmt.Errorf("%w: %w", ErrProtocol, err)
		}
	}
	if err != nil {
		ep.Close()
		return nil, err
	}
	return &Channel{
		area: newArea(h, opts.Size, opts.InFlight),
		ep:   ep, payment: payment, opts: opts, low: 1, next: 1, patience: newPatience(),
		spin: adaptiveSpin{limit: opts.MaxSpin, window: opts.MaxSpin},
	}, nil
}

// LateAnswers is the number of answers that were dropped because their caller
// had given up.
func (c *Channel) LateAnswers() uint64 { return c.late.Load() }

// Gone is nil while the server exists, as far as this side can see without a
// call. Otherwise it is the reason. A call that is under way notices by itself.
func (c *Channel) Gone() error {
	if c.closed.Load() {
		return errClosed
	}
	if !c.turn.take() {
		return nil
	}
	defer c.leave()
	if c.broken != nil {
		return c.broken
	}
	return c.pulse(context.Background())
}

// Settle drops the answers to abandoned calls that have arrived since. It does not
// wait; the next call does the same, and waits if it must. Settle reports whether
// the server still serves such a call, as far as this side can see: an answer is
// missing, and the server is not gone. A vLib OS that learns the end of a call only
// from its callers can serve other callers after a Settle.
func (c *Channel) Settle() (unanswered bool, err error) {
	if c.abandoned.Load() == 0 || c.closed.Load() {
		return false, nil
	}
	if !c.turn.take() {
		return true, nil // a call is under way, and looks at those answers
	}
	defer c.leave()
	if c.broken != nil || c.ep.Gone() != nil {
		return false, nil
	}
	_, err = c.look(&party{})
	return c.abandoned.Load() > 0, err
}

// Close ends the channel (vLib_channel_destroy). Calls that are under way return
// os.ErrClosed; Close waits for them and for the callbacks of asynchronous calls, so
// it must not be called from one. Idempotent.
func (c *Channel) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.turn.close()
	c.ep.Interrupt()
	c.async.Wait()
	<-c.turn.quiet
	c.h.Client.Alive.Store(0)
	return errors.Join(c.ep.Notify(), c.ep.Close())
}
