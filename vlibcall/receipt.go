// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"context"
	"errors"
	"time"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Receipt is what one call cost.
type Receipt struct {
	// Wall is from the question to the answer, or to the error, as the
	// caller saw it: its place in the channel's queue included.
	Wall time.Duration
	// Cost as the host's scheduler measured it; nil if no reservation paid, the
	// call was refused, or the scheduler does not say.
	Cost *transport.Cost
}

// CallReceipt is Call, and also returns what the call cost, after an error too.
// It takes one more question to the scheduler.
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
func (c *Channel) receiptInTurn(ctx context.Context, ticket chan struct{}, m message, dst []byte) ([]byte, *transport.Cost, error) {
	if ticket != nil {
		if err := c.turn.await(ctx, ticket); err != nil {
			return nil, nil, timeoutOf(err)
		}
	}
	defer c.turn.leave()
	before := c.lastID()
	dst, err := c.exchange(ctx, m, dst)
	if c.payment == nil || c.lastID() == before || errors.Is(err, ErrReservation) {
		return dst, nil, err
	}
	// A cost that cannot be read does not spoil the answer.
	if cost, failed := c.payment.Cost(c.lastID()); failed == nil {
		return dst, &cost, err
	}
	return dst, nil, err
}

func (c *Channel) lastID() uint64 {
	c.use.Lock()
	defer c.use.Unlock()
	return c.id
}
