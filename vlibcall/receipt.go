// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"context"
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
	out, cost, err := c.one(ctx, &Request{Library: library, Function: function, Input: input, Output: dst}, nil, true)
	r := Receipt{Wall: time.Since(start), Cost: cost}
	if err != nil {
		err = c.failed("call", library, function, err)
	}
	if c.opts.Record != nil {
		c.opts.Record(library, function, r, err)
	}
	return out, r, err
}
