// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

// spins is how long to spin this time.
func (c *Channel) spins() time.Duration {
	switch c.opts.Wait {
	case Block:
		return 0
	case Spin:
		return forever
	}
	return c.spin.window
}

// setWaiting stores only changes: a store costs the server a cache miss.
func (c *Channel) setWaiting(w bool) {
	var v uint32
	if w {
		v = 1
	}
	if c.h.Request.Waiting.Load() != v {
		c.h.Request.Waiting.Swap(v)
	}
}

// await returns nil once the answer to request c.id is published.
func (c *Channel) await(ctx context.Context, deadline time.Time) error {
	if window := c.spins(); window > 0 {
		done, err := c.spinFor(ctx, window, deadline)
		if done || err != nil {
			return err
		}
	}
	return c.sleep(ctx, deadline)
}

// sleep is await without spinning.
func (c *Channel) sleep(ctx context.Context, deadline time.Time) error {
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, c.ep.Interrupt)
		defer stop()
	}
	c.setWaiting(true)
	var asleep time.Time
	if c.opts.Wait == SpinThenBlock {
		asleep = time.Now()
	}
	woken := false
	for {
		done, err := c.answered()
		if done {
			if c.opts.Wait == SpinThenBlock {
				c.spin.slept(time.Since(asleep))
			}
			return nil
		}
		if err == nil {
			err = c.wanted(ctx)
		}
		if err != nil {
			return err
		}
		// A server that signals without end prevents that Wait reaches the
		// deadline: from the second round on, this side checks the clock.
		if woken && !deadline.IsZero() && !time.Now().Before(deadline) {
			return timeoutOf(os.ErrDeadlineExceeded)
		}
		woken = true
		c.waits.next()
		switch err := c.ep.Wait(deadline); {
		case err == nil, errors.Is(err, transport.ErrInterrupted):
		case errors.Is(err, os.ErrDeadlineExceeded):
			if done, err := c.answered(); done || err != nil {
				return err
			}
			return timeoutOf(err)
		default:
			return err
		}
	}
}

// spinFor polls for the answer for at most window.
func (c *Channel) spinFor(ctx context.Context, window time.Duration, deadline time.Time) (done bool, err error) {
	var start time.Time
	for polls := 1; ; polls++ {
		pause(&c.h.Reply.Inline[secondLine])
		if done, err := c.answered(); done || err != nil {
			return done, err
		}
		if polls%checkEvery != 0 {
			continue
		}
		if err := c.wanted(ctx); err != nil {
			return false, err
		}
		if window == forever && deadline.IsZero() {
			continue
		}
		now := time.Now()
		if start.IsZero() {
			start = now
		}
		if !deadline.IsZero() && !now.Before(deadline) {
			return false, timeoutOf(os.ErrDeadlineExceeded)
		}
		if now.Sub(start) >= window {
			return false, nil
		}
	}
}

// answered checks once for the answer to request c.id.
func (c *Channel) answered() (bool, error) {
	got := c.h.Reply.ID.Load()
	if got == c.id {
		return true, nil
	}
	if got != c.id-1 {
		return false, c.violated("answer %d to question %d", got, c.id)
	}
	return false, nil
}

// wanted is pulse for a call that also ends with its session.
func (c *Channel) wanted(ctx context.Context) error {
	if c.ending.Load() {
		return errClosed
	}
	return c.pulse(ctx)
}

// pulse returns the reason why waiting is of no use any more; nil: none.
func (c *Channel) pulse(ctx context.Context) error {
	if c.closed.Load() {
		return errClosed
	}
	if err := ctx.Err(); err != nil {
		return timeoutOf(err)
	}
	if err := c.ep.Gone(); err != nil {
		return err
	}
	if c.h.ServerAlive.Load() == 0 {
		return fmt.Errorf("%w: its server closed the channel or died", ErrGone)
	}
	return nil
}

// timeoutOf turns the end of a context or a deadline into ErrTimeout, which
// still matches the context's own error.
func timeoutOf(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = context.DeadlineExceeded
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	default:
		return err
	}
	return fmt.Errorf("%w (%w)", ErrTimeout, err)
}
