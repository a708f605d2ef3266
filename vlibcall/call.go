// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"context"
	"time"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Request is one call of a batch.
type Request struct {
	Library, Function string
	Input             []byte
	// Output is, before the call, memory to use for the output, or nil; after it,
	// the output.
	Output []byte
	// Err is why there is no output: as for Channel.Call.
	Err error

	flags uint16
	over  bool // it has ended
}

// party is what one goroutine waits for: one request, or those of a batch.
type party struct {
	requests []Request
	ctx      context.Context
	deadline time.Time // zero: none
	session  *Session  // whose requests they are; nil: none
	priced   bool      // the cost is wanted

	asked  int    // requests that were put into the channel, or could not be
	open   int    // requests that have not ended
	names  int    // requests in the channel that carry names alone
	number uint64 // of the last that was put into it; 0: none
	cost   *transport.Cost

	// The rest is a follower's, under turn.mu.
	wake  chan bool // true: it leads now; false: its requests have ended
	woken bool
	gone  bool // its goroutine waits no more
}

// fail ends what has not ended.
func (p *party) fail(err error) {
	for i := range p.requests {
		if r := &p.requests[i]; !r.over {
			r.end(err)
		}
	}
	p.open = 0
}

func (r *Request) end(err error) {
	r.over, r.Err = true, err
	if err != nil {
		r.Output = nil
	}
}

// deadline of a call that begins now; zero: none.
func (c *Channel) deadline(ctx context.Context) (until time.Time) {
	if c.opts.Timeout != 0 {
		until = time.Now().Add(c.opts.Timeout)
	}
	if d, ok := ctx.Deadline(); ok && (until.IsZero() || d.Before(until)) {
		until = d
	}
	return until
}

// left is the time until a deadline, 0 if there is none.
func left(deadline time.Time) time.Duration {
	if deadline.IsZero() {
		return 0
	}
	return max(time.Until(deadline), 1)
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
	dst, _, err := c.one(ctx, &Request{Library: library, Function: function, Input: input, Output: dst}, nil, false)
	if err != nil {
		return nil, c.failed("call", library, function, err)
	}
	return dst, nil
}

func (c *Channel) failed(op, library, function string, err error) error {
	return &OpError{Peer: c.opts.Peer, Op: op, Target: library + ":" + function, Err: err}
}

// one makes a single request, of a session or none. The cost is nil unless it is
// priced.
func (c *Channel) one(ctx context.Context, r *Request, s *Session, priced bool) ([]byte, *transport.Cost, error) {
	if !c.turn.take() {
		p := c.begin(new(party), ctx, []Request{*r}, s, priced)
		c.make(p)
		return p.requests[0].Output, p.cost, p.requests[0].Err
	}
	// The channel's own memory: a call does not allocate.
	c.first[0] = *r
	p := c.begin(&c.single, ctx, c.first[:], s, priced)
	c.lead(p)
	out, cost, err := c.first[0].Output, p.cost, c.first[0].Err
	c.leave()
	return out, cost, err
}

// begin makes p wait for requests whose time begins now: c.single, if its goroutine has
// taken the turn, else a new one.
func (c *Channel) begin(p *party, ctx context.Context, requests []Request, s *Session, priced bool) *party {
	p.requests, p.ctx, p.deadline, p.session, p.priced = requests, ctx, c.deadline(ctx), s, priced
	p.asked, p.open, p.names, p.number, p.cost = 0, len(requests), 0, 0, nil
	return p
}

// make makes the requests of p, in their turn.
func (c *Channel) make(p *party) {
	follows, err := c.enter(p)
	switch {
	case err != nil:
		p.fail(err)
	case follows:
		c.follow(p)
	default:
		c.lead(p)
		c.leave()
	}
}

// Batch makes several calls at once. As many as Options.InFlight are in the channel
// at a time; the others wait, and follow as answers come. The server is notified
// once for all that it finds, and signals once when it has answered them; a
// reservation is charged for them as for one call. The server may answer in any
// order. Batch returns when all have ended, with the first error among them.
// Without ctx and errors it does not allocate while no other call uses the channel.
func (c *Channel) Batch(ctx context.Context, requests []Request) error {
	if len(requests) == 0 {
		return nil
	}
	var start time.Time
	if c.opts.Record != nil {
		start = time.Now()
	}
	for i := range requests {
		r := &requests[i]
		r.Err, r.flags, r.over = nil, 0, false
	}
	var cost *transport.Cost
	if c.turn.take() {
		p := c.begin(&c.single, ctx, requests, nil, c.opts.Record != nil)
		c.lead(p)
		cost = p.cost
		c.leave() // p may be that of another call now
	} else {
		p := c.begin(new(party), ctx, requests, nil, c.opts.Record != nil)
		c.make(p)
		cost = p.cost
	}
	return c.ended(requests, cost, start)
}

// ended adds to each error of a batch which call it is, and records its calls. The
// first has the cost of them all.
func (c *Channel) ended(requests []Request, cost *transport.Cost, start time.Time) (first error) {
	for i := range requests {
		r := &requests[i]
		if r.Err != nil {
			r.Err = c.failed("call", r.Library, r.Function, r.Err)
			if first == nil {
				first = r.Err
			}
		}
		if c.opts.Record != nil {
			c.opts.Record(r.Library, r.Function, Receipt{Wall: time.Since(start), Cost: cost}, r.Err)
			cost = nil
		}
	}
	return first
}

// Pending is an asynchronous call.
type Pending struct {
	done   chan struct{}
	output []byte
	err    error
}

// Done is closed when the call has ended and its callback has returned.
func (p *Pending) Done() <-chan struct{} { return p.done }

// Result blocks until the call has ended. Errors as for Channel.Call.
func (p *Pending) Result() ([]byte, error) {
	<-p.done
	return p.output, p.err
}

// Go calls without blocking (vLib_async_call). The call takes its place in the
// channel's queue before Go returns, and its time begins then. input must not change before the call has
// ended. callback may be nil; it runs in a goroutine of the channel, for which
// Close waits.
func (c *Channel) Go(ctx context.Context, library, function string, input []byte, callback func(output []byte, err error)) *Pending {
	pending := &Pending{done: make(chan struct{})}
	var start time.Time
	if c.opts.Record != nil {
		start = time.Now()
	}
	requests := []Request{{Library: library, Function: function, Input: input}}
	p := c.begin(new(party), ctx, requests, nil, c.opts.Record != nil)
	follows, err := c.enter(p)
	if err != nil {
		p.fail(err)
		pending.err = c.ended(requests, nil, start)
		close(pending.done)
		if callback != nil {
			callback(nil, pending.err)
		}
		return pending
	}
	c.async.Add(1)
	go func() {
		defer c.async.Done()
		defer close(pending.done)
		if follows {
			c.follow(p)
		} else {
			c.lead(p)
			c.leave()
		}
		pending.err = c.ended(requests, p.cost, start)
		pending.output = requests[0].Output
		if callback != nil {
			callback(pending.output, pending.err)
		}
	}()
	return pending
}
