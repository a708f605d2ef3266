// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"context"
	"errors"
	"time"
)

// Cost is what a call made the callee's domain use, and wait for. All but
// Deschedules are times.
type Cost struct {
	Queued      time.Duration // before the domain began
	Foreground  time.Duration // CPU time on the reservation's budget
	Background  time.Duration // CPU time beyond it
	Throttled   time.Duration // it could have run in background, and was not let
	Deschedules uint64        // how often it was taken off a CPU while it wanted to run
}

// Receipt is what one call cost.
type Receipt struct {
	// Wall is from the question to the answer, or to the error, as the
	// caller saw it: its place in the channel's queue included.
	Wall time.Duration
	// Cost as the scheduler below the call measured it; nil if no
	// reservation paid, the call was refused, or the scheduler does not say.
	Cost *Cost
}

// CallReceipt is Call with what the call cost, which is known after an error as
// well. It costs a question to the scheduler more.
func (c *Channel) CallReceipt(ctx context.Context, library, function string, input, dst []byte) ([]byte, Receipt, error) {
	start := time.Now()
	ticket, err := c.turn.enter()
	return c.receipt(ctx, start, ticket, err, message{library, function, input, 0}, dst)
}

// receipt makes a call that began at start and has a place in the queue, or
// could not get one.
func (c *Channel) receipt(ctx context.Context, start time.Time, ticket chan struct{}, err error, m message, dst []byte) ([]byte, Receipt, error) {
	var r Receipt
	if err == nil {
		dst, r.Cost, err = c.receiptInTurn(ctx, ticket, m, dst)
	}
	r.Wall = time.Since(start)
	if err != nil {
		dst, err = nil, callError(m.library, m.function, err)
	}
	if c.opts.Record != nil {
		c.opts.Record(m.library, m.function, r, err)
	}
	return dst, r, err
}

// receiptInTurn is callInTurn that asks, before another call can begin, what
// this one cost.
func (c *Channel) receiptInTurn(ctx context.Context, ticket chan struct{}, m message, dst []byte) ([]byte, *Cost, error) {
	if ticket != nil {
		if err := c.turn.await(ctx, ticket); err != nil {
			return nil, nil, timeoutOf(err)
		}
	}
	defer c.turn.leave()
	before := c.lastID()
	dst, err := c.exchange(ctx, m, dst)
	if c.payer == nil || c.lastID() == before || errors.Is(err, ErrReservation) {
		return dst, nil, err
	}
	// An answer is worth more than its price.
	if cost, failed := c.payer.Cost(c.opts.Reservation, c.lastID()); failed == nil {
		return dst, &cost, err
	}
	return dst, nil, err
}

func (c *Channel) lastID() uint64 {
	c.use.Lock()
	defer c.use.Unlock()
	return c.id
}
