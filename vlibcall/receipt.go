// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"context"
	"errors"
	"time"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Receipt is the cost of one call.
type Receipt struct {
	// Wall is the time from request to answer, or to the error, as the caller
	// measured it, including the wait in the channel's queue.
	Wall time.Duration
	// Cost as the host's scheduler measured it; nil if no reservation was
	// charged, the call was refused, or the scheduler does not measure it.
	Cost *transport.Cost
}

// CallReceipt is Call, and also returns the cost of the call, even after an
// error. It asks the scheduler one more question.
func (c *Channel) CallReceipt(ctx context.Context, library, function string, input, dst []byte) ([]byte, Receipt, error) {
	start := time.Now()
	m := c.message(ctx, library, function, input, 0)
	ticket, err := c.turn.enter()
	return c.receipt(ctx, start, ticket, err, m, dst)
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
		dst, err = nil, c.failed("call", m.library, m.function, err)
	}
	if c.opts.Record != nil {
		c.opts.Record(m.library, m.function, r, err)
	}
	return dst, r, err
}

// receiptInTurn is callInTurn, and then reads the cost of the call before
// another call can begin.
func (c *Channel) receiptInTurn(ctx context.Context, ticket chan struct{}, m message, dst []byte) ([]byte, *transport.Cost, error) {
	if err := c.turn.await(ctx, m.deadline, ticket); err != nil {
		return nil, nil, err
	}
	defer c.turn.leave()
	before := c.lastID()
	dst, err := c.exchange(ctx, m, dst)
	if c.payment == nil || c.lastID() == before || errors.Is(err, ErrReservation) {
		return dst, nil, err
	}
	// A cost that cannot be read does not affect the answer.
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
