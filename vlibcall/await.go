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
	case Block, BlockCPU:
		return 0
	case Spin:
		return forever
	}
	return c.spin.window
}

// blocksCPU reports whether signalling the server may wait for its answer.
func (c *Channel) blocksCPU() bool { return c.opts.Wait == BlockCPU && c.payment != nil }

// setWaiting stores only changes: a store costs the server a cache miss.
func (c *Channel) setWaiting(w uint32) {
	if c.h.Client.Waiting.Load() != w {
		c.h.Client.Waiting.Swap(w)
	}
}

// wake is when the server should signal: when all is answered, unless others than
// the leader wait, or an answer that nothing waits for may never come.
func (c *Channel) wake() uint32 {
	if c.others > 0 {
		return transport.WakeAtEach
	}
	return transport.WakeWhenDone
}

// await returns once all requests of p, the leader's, are answered.
func (c *Channel) await(p *party) error {
	if window := c.spins(); window > 0 {
		c.setWaiting(0)
		done, err := c.spinFor(p, window)
		if done || err != nil {
			return err
		}
	}
	if c.blocksCPU() {
		if done, err := c.look(p); done || err != nil {
			return err
		}
	}
	return c.sleep(p)
}

// sleep is await without spinning.
func (c *Channel) sleep(p *party) error {
	if p.ctx.Done() != nil {
		stop := context.AfterFunc(p.ctx, c.ep.Interrupt)
		defer stop()
	}
	var asleep time.Time
	if c.opts.Wait == SpinThenBlock {
		asleep = time.Now()
	}
	woken := false
	for {
		if err := c.glance(p); err != nil {
			return err
		}
		c.setWaiting(c.wake())
		done, err := c.look(p)
		if done {
			if c.opts.Wait == SpinThenBlock {
				c.spin.slept(time.Since(asleep))
			}
			return nil
		}
		if err == nil {
			err = c.wanted(p)
		}
		if err != nil {
			return err
		}
		// A server that signals without end prevents that Wait reaches the
		// deadline: from the second round on, this side checks the clock.
		if woken && !p.deadline.IsZero() && !time.Now().Before(p.deadline) {
			return timeoutOf(os.ErrDeadlineExceeded)
		}
		woken = true
		c.waits.next()
		switch err := c.ep.Wait(p.deadline); {
		case err == nil, errors.Is(err, transport.ErrInterrupted):
		case errors.Is(err, os.ErrDeadlineExceeded):
			if done, err := c.look(p); done || err != nil {
				return err
			}
			return timeoutOf(err)
		default:
			return err
		}
	}
}

// spinFor polls for the answers for at most window.
func (c *Channel) spinFor(p *party, window time.Duration) (done bool, err error) {
	var start time.Time
	c.patience.wait()
	for polls := 1; ; polls++ {
		if done, err := c.look(p); done || err != nil {
			c.patience.looked(polls)
			return done, err
		}
		pause()
		if polls%checkEvery != 0 {
			continue
		}
		if err := c.wanted(p); err != nil {
			return false, err
		}
		if err := c.glance(p); err != nil {
			return false, err
		}
		if window == forever && p.deadline.IsZero() {
			continue
		}
		now := time.Now()
		if start.IsZero() {
			start = now
		}
		if !p.deadline.IsZero() && !now.Before(p.deadline) {
			return false, timeoutOf(os.ErrDeadlineExceeded)
		}
		if now.Sub(start) >= window {
			return false, nil
		}
	}
}

// wanted is pulse for the requests of p, which also end with its session.
func (c *Channel) wanted(p *party) error {
	if p.session != nil && p.session.closed.Load() {
		return errClosed
	}
	return c.pulse(p.ctx)
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
	if c.h.Server.Alive.Load() == 0 {
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
