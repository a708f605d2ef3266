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
	// channel's calls (docs/explanation/scheduling.md), one call at a time. 0: none.
	Reservation transport.Reservation
	// Record, if not nil, gets what each call cost and the error of its caller
	// when the call has ended. It runs in the call's goroutine, so several may run
	// at the same time; it must neither block nor use the channel. Package receipt
	// has one that keeps histograms.
	Record func(library, function string, r Receipt, err error)
}

// Channel is the client's side of a channel. All methods are safe for
// concurrent use; calls are served one at a time, first come, first served.
type Channel struct {
	ep      transport.ClientEndpoint
	payment transport.Payment // nil: no reservation pays
	h       *transport.Header
	opts    Options
	turn    turn
	spin    adaptiveSpin
	async   sync.WaitGroup
	closed  atomic.Bool
	ending  atomic.Bool // a session ends, together with its call under way

	use sync.Mutex // held while the memory is used; Close takes it last

	// The fields below are under use.
	id          uint64 // of the last request
	outstanding bool   // the answer to an abandoned request is still missing
	broken      error  // after a protocol violation

	library, function string // of the last call that named them

	waits waits

	abandoned atomic.Bool // outstanding, because the caller gave up
	late      atomic.Uint64
}

// Open sets up a channel (vLib_init) with a server of the domain that d leads to.
// ctx bounds the opening. The first call that needs the data area maps it. The
// caller closes the channel.
func Open(ctx context.Context, d transport.Dialer, opts Options) (*Channel, error) {
	opts.Port = cmp.Or(opts.Port, DefaultPort)
	opts.Size = cmp.Or(opts.Size, DefaultSize)
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
	generation := rand.Uint64()
	ep, err := d.Dial(ctx, transport.Offer{Port: opts.Port, Size: opts.Size, Generation: generation, Reservation: opts.Reservation})
	if err != nil {
		return nil, err
	}
	payment := ep.Payment()
	if opts.Reservation != 0 && payment == nil {
		return nil, errors.Join(fmt.Errorf("%w: this transport has none: name none", ErrReservation), ep.Close())
	}
	h, err := transport.HeaderOf(ep.Header())
	if err == nil {
		if err = h.Attach(opts.Size, generation); err != nil {
			err = fmt.Errorf("%w: %w", ErrProtocol, err)
		}
	}
	if err != nil {
		ep.Close()
		return nil, err
	}
	return &Channel{
		ep: ep, payment: payment, h: h, opts: opts,
		spin: adaptiveSpin{limit: opts.MaxSpin, window: opts.MaxSpin},
	}, nil
}

// MaxInput is the largest input of a call of this function, in bytes.
func (c *Channel) MaxInput(library, function string) int {
	return c.opts.Size - transport.HeaderSize - packRequest(0, len(library), len(function), 0).inputOffset()
}

// LateAnswers is the number of answers that were dropped because their caller
// had given up.
func (c *Channel) LateAnswers() uint64 { return c.late.Load() }

// Gone is nil while the server exists, as far as this side can see without a
// call. Otherwise it is the reason. A call that is under way notices by itself.
func (c *Channel) Gone() error {
	if !c.use.TryLock() {
		return nil
	}
	defer c.use.Unlock()
	if c.broken != nil {
		return c.broken
	}
	return c.pulse(context.Background())
}

// Settle drops the answer to an abandoned call, if it has arrived since. It
// does not wait; the next call does the same, and waits. Settle reports whether
// the server still serves such a call, as far as this side can see: the answer
// is missing, and the server is not gone. A vLib OS that learns the end of a
// call only from its callers can serve other callers after a Settle.
func (c *Channel) Settle() (unanswered bool, err error) {
	if !c.use.TryLock() {
		return c.abandoned.Load(), nil // a call is under way, and waits for that answer first
	}
	defer c.use.Unlock()
	switch {
	case !c.abandoned.Load() || c.closed.Load() || c.broken != nil || c.ep.Gone() != nil:
		return false, nil
	case c.h.Reply.ID.Load() != c.id:
		return true, nil
	}
	c.answeredLate()
	return false, c.paid()
}

// Call calls function of library with input and appends the output to
// dst[:0], growing it if need be (vLib_call). It blocks until the answer is
// there, ctx is done, Options.Timeout has passed, or the vLib OS is gone.
// With room in dst and a context that cannot be cancelled it does not
// allocate.
//
// Errors: StatusError with the server's verdict; ErrTimeout, which also
// matches context.Canceled or context.DeadlineExceeded; ErrGone; ErrProtocol;
// ErrTooLarge; os.ErrClosed. After ErrGone and ErrProtocol the channel is
// unusable: close it.
func (c *Channel) Call(ctx context.Context, library, function string, input, dst []byte) ([]byte, error) {
	if c.opts.Record != nil {
		dst, _, err := c.CallReceipt(ctx, library, function, input, dst)
		return dst, err
	}
	m := c.message(ctx, library, function, input, 0)
	ticket, err := c.turn.enter()
	if err == nil {
		dst, err = c.callInTurn(ctx, ticket, m, dst)
	}
	if err != nil {
		return nil, c.failed("call", library, function, err)
	}
	return dst, nil
}

func (c *Channel) failed(op, library, function string, err error) error {
	return &OpError{Peer: c.opts.Peer, Op: op, Target: library + ":" + function, Err: err}
}

func (c *Channel) callInTurn(ctx context.Context, ticket chan struct{}, m message, dst []byte) ([]byte, error) {
	if err := c.turn.await(ctx, m.deadline, ticket); err != nil {
		return nil, err
	}
	defer c.turn.leave()
	return c.exchange(ctx, m, dst)
}

// Close ends the channel (vLib_channel_destroy). A call that is under way
// returns os.ErrClosed; Close waits for it and for the callbacks of
// asynchronous calls, so it must not be called from one. Idempotent.
func (c *Channel) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.turn.close()
	c.ep.Interrupt()
	c.async.Wait()
	c.use.Lock()
	defer c.use.Unlock()
	c.h.ClientAlive.Store(0)
	return errors.Join(c.ep.Notify(), c.ep.Close())
}
