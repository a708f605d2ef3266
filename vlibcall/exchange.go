// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

// message is a request before it is in the channel.
type message struct {
	library, function string // both empty within a session
	input             []byte
	flags             uint16
	deadline          time.Time // also of the wait for its turn; zero: none
}

// message is a request whose time begins now.
func (c *Channel) message(ctx context.Context, library, function string, input []byte, flags uint16) message {
	m := message{library: library, function: function, input: input, flags: flags}
	if c.opts.Timeout != 0 {
		m.deadline = time.Now().Add(c.opts.Timeout)
	}
	if d, ok := ctx.Deadline(); ok && (m.deadline.IsZero() || d.Before(m.deadline)) {
		m.deadline = d
	}
	return m
}

// check refuses names that cannot be sent. Those of the last call are valid.
func (c *Channel) check(m *message) error {
	if m.flags&(flagSession|flagSessionEnd) != 0 && m.flags&flagSessionOpen == 0 {
		return nil // the session has its names
	}
	if c.library != "" && m.library == c.library && m.function == c.function {
		return nil
	}
	for _, name := range [...]string{m.library, m.function} {
		if name == "" {
			return fmt.Errorf("empty name: %w", ErrBadRequest)
		}
		if len(name) > MaxName {
			return fmt.Errorf("name of %d bytes, at most %d: %w", len(name), MaxName, ErrBadRequest)
		}
		if strings.IndexByte(name, 0) >= 0 {
			return fmt.Errorf("name %q contains NUL: %w", name, ErrBadRequest)
		}
	}
	c.library, c.function = m.library, m.function
	return nil
}

// exchange posts one request and waits for its answer. The caller has the
// turn.
func (c *Channel) exchange(ctx context.Context, m message, dst []byte) ([]byte, error) {
	// On its own because of the one return: the compiler makes a deferred
	// call a plain one only in functions with few of them.
	c.use.Lock()
	defer c.use.Unlock()
	return c.converse(ctx, &m, dst)
}

func (c *Channel) converse(ctx context.Context, m *message, dst []byte) ([]byte, error) {
	if c.closed.Load() {
		return nil, errClosed
	}
	if c.broken != nil {
		return nil, c.broken
	}
	if err := c.check(m); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, timeoutOf(err)
	}
	if err := c.settle(ctx, m.deadline); err != nil {
		return nil, err
	}
	shape, err := c.post(m)
	if err != nil {
		return nil, err
	}
	if m.flags&flagSessionEnd != 0 {
		c.outstanding = true
		return nil, c.paid() // its answer is not waited for, so not paid for either
	}
	if err := c.await(ctx, m.deadline); err != nil {
		c.outstanding = true
		c.abandoned.Store(true)
		c.h.Cancel.Store(c.id)
		c.ep.Notify() // the caller gets the reason for the missing answer, which matters more
		c.giveUp()
		return nil, err
	}
	if err := c.paid(); err != nil {
		return nil, err
	}
	return c.take(shape, dst)
}

// settle waits for the answer to an abandoned request, and drops it: until then
// the server may still use the memory.
func (c *Channel) settle(ctx context.Context, deadline time.Time) error {
	if c.outstanding {
		if err := c.urge(deadline); err != nil {
			return err
		}
		if err := c.await(ctx, deadline); err != nil {
			c.giveUp() // urge has begun another charge
			if errors.Is(err, ErrTimeout) {
				err = fmt.Errorf("the server is still busy with an abandoned call: %w", err)
			}
			return err
		}
		if err := c.paid(); err != nil {
			return err
		}
		c.answeredLate()
	}
	if got := c.h.Reply.ID.Load(); got != c.id {
		return c.violated("answer %d stands before question %d", got, c.id+1)
	}
	return nil
}

// answeredLate records that no answer is outstanding any more.
func (c *Channel) answeredLate() {
	if c.abandoned.Swap(false) {
		c.late.Add(1)
	}
	c.outstanding = false
}

// post writes the request and publishes it.
func (c *Channel) post(m *message) (requestShape, error) {
	r := &c.h.Request
	shape := packRequest(len(m.input), len(m.library), len(m.function), m.flags)
	area := r.Inline[:]
	if shape.bytes() <= transport.InlineSize {
		shape = packRequest(len(m.input), len(m.library), len(m.function), m.flags|flagRequestInline)
	} else {
		if most := c.opts.Size - transport.HeaderSize; shape.bytes() > most {
			return 0, fmt.Errorf("%w: %d bytes, room for %d: set Options.Size (--size) to %d or more", ErrTooLarge,
				shape.bytes(), most, (shape.bytes()+2*transport.HeaderSize-1)/transport.HeaderSize*transport.HeaderSize)
		}
		data, err := c.data()
		if err != nil {
			return 0, err
		}
		area = data
	}
	limit := uint64(left(m.deadline))
	if r.Timeout.Load() != limit {
		r.Timeout.Store(limit)
	}
	c.setWaiting(c.spins() == 0)

	input := area[shape.inputOffset():]
	near := copyFar(input, m.input)
	if shape.names() != 0 {
		copy(area, m.library)
		area[len(m.library)] = 0
		copy(area[len(m.library)+1:], m.function)
	}
	copy(input, m.input[:near])
	plainStore(&r.Shape, uint64(shape))
	c.id++
	r.ID.Swap(c.id)
	if c.h.Reply.Waiting.Load() != 0 {
		if err := c.signal(m.deadline); err != nil {
			c.outstanding = true // the server may find it nevertheless
			c.abandoned.Store(true)
			return 0, err
		}
	}
	return shape, nil
}

// signal wakes the server, charging the reservation if there is one. A server
// that does not wait is still serving an earlier call, and charges it.
func (c *Channel) signal(deadline time.Time) error {
	if c.payment == nil {
		return c.ep.Notify()
	}
	return c.refused(c.payment.Begin(c.id, left(deadline)))
}

// urge wakes a server that may not know of an abandoned request: its domain
// does not run unless a reservation is charged.
func (c *Channel) urge(deadline time.Time) error {
	if c.payment == nil || c.h.Reply.ID.Load() == c.id {
		return nil
	}
	return c.refused(c.payment.Urge(c.id, left(deadline)))
}

// refused adds that the reservation is the reason of an error.
func (c *Channel) refused(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %d: %w", ErrReservation, c.opts.Reservation, err)
}

// left is the time until a deadline, 0 if there is none.
func left(deadline time.Time) time.Duration {
	if deadline.IsZero() {
		return 0
	}
	return max(time.Until(deadline), 1)
}

// paid reports that an answer has arrived.
func (c *Channel) paid() error {
	if c.payment == nil {
		return nil
	}
	return c.payment.End(c.id)
}

// giveUp ends the charge for the last request. The caller already has an error
// to report, so one of GiveUp is dropped.
func (c *Channel) giveUp() {
	if c.payment != nil {
		c.payment.GiveUp(c.id)
	}
}

func (c *Channel) data() ([]byte, error) {
	data, err := c.ep.Data()
	if err != nil {
		return nil, fmt.Errorf("map the data area: %w", err)
	}
	if len(data) != c.opts.Size-transport.HeaderSize {
		return nil, fmt.Errorf("transport mapped %d bytes of data, want %d", len(data), c.opts.Size-transport.HeaderSize)
	}
	return data, nil
}

// take copies the answer out, within the limits that this side knows.
func (c *Channel) take(asked requestShape, dst []byte) ([]byte, error) {
	shape := replyShape(c.h.Reply.Shape.Load())
	n := shape.output()
	var area []byte
	if shape.flags()&flagReplyInline != 0 {
		area = c.h.Reply.Inline[:]
	} else if n > 0 {
		data, err := c.data()
		if err != nil {
			return nil, err
		}
		area = data[min(asked.outputOffset(), len(data)):]
	}
	if n > len(area) {
		return nil, c.violated("output of %d bytes where %d fit", n, len(area))
	}
	status := shape.status()
	if status == StatusOK {
		return append(dst[:0], area[:n]...), nil
	}
	err := ReceivedStatus(status, area[:n])
	if errors.Is(err, ErrProtocol) {
		c.broken = err
	}
	return nil, err
}

// violated marks the channel as dead: after one violation none of its words can
// be trusted.
func (c *Channel) violated(format string, args ...any) error {
	c.broken = protocolError(format, args...)
	return c.broken
}
