// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"context"
	"time"
)

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
	p := &Pending{done: make(chan struct{})}
	m := c.message(ctx, library, function, input, 0)
	var start time.Time
	if c.opts.Record != nil {
		start = time.Now()
	}
	ticket, err := c.turn.enter()
	if err != nil {
		_, p.err = c.callLater(ctx, start, ticket, err, m)
		close(p.done)
		if callback != nil {
			callback(nil, p.err)
		}
		return p
	}
	c.async.Add(1)
	go func() {
		defer c.async.Done()
		defer close(p.done)
		p.output, p.err = c.callLater(ctx, start, ticket, nil, m)
		if callback != nil {
			callback(p.output, p.err)
		}
	}()
	return p
}

// callLater does the rest of a call that has a place in the queue, or could not
// get one.
func (c *Channel) callLater(ctx context.Context, start time.Time, ticket chan struct{}, err error, m message) (output []byte, _ error) {
	if c.opts.Record != nil {
		output, _, err = c.receipt(ctx, start, ticket, err, m, nil)
		return output, err
	}
	if err == nil {
		output, err = c.callInTurn(ctx, ticket, m, nil)
	}
	if err != nil {
		return nil, c.failed("call", m.library, m.function, err)
	}
	return output, nil
}
