// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

// flight is what this side knows of a slot: it trusts nothing that it reads there.
type flight struct {
	turn    transport.Turn // as this side wrote it, or as it was answered
	shape   shape          // of the request
	party   *party         // nil: it was given up, or its output was taken
	request *Request       // nil: likewise, or it carries names alone
}

func (f *flight) answered() bool { return f.turn.Phase() == transport.Answered }

// lead makes the requests of p, whose goroutine has the turn, until all have ended.
// Meanwhile it does for the followers what concerns the channel's memory.
func (c *Channel) lead(p *party) {
	c.me, c.others = p, 0
	for n := c.low; n != c.next; n++ {
		if f := &c.flights[c.slot(n)]; !f.answered() && f.party != p {
			c.others++
		}
	}
	err := c.converse(p)
	if err != nil || p.names > 0 {
		c.giveUp(p, err)
	}
	if p.priced && !errors.Is(err, ErrReservation) {
		c.price(p)
	}
}

func (c *Channel) converse(p *party) error {
	if c.broken != nil {
		return c.broken
	}
	if c.closed.Load() {
		return errClosed
	}
	if err := p.ctx.Err(); err != nil {
		return timeoutOf(err)
	}
	if c.low != c.next {
		if done, err := c.look(p); done || err != nil {
			return err
		}
	}
	if p.asked < len(p.requests) {
		if err := c.ask(p); err != nil || p.open == 0 {
			return err
		}
		if c.wanting == 0 && c.low != c.next {
			if err := c.urge(p); err != nil {
				return err
			}
		}
	}
	return c.await(p)
}

// look takes the answers that have come, and asks what there is room for since. done
// means that all requests of p have ended.
func (c *Channel) look(p *party) (done bool, err error) {
	changed := false
	for n := c.low; n != c.next; n++ {
		i := c.slot(n)
		f := &c.flights[i]
		if f.answered() {
			continue
		}
		got := transport.Turn(c.h.Slots[i].Turn.Load())
		if got == f.turn {
			continue
		}
		if got != transport.TurnOf(n, transport.Answered) {
			return false, c.violated("turn %#x in the slot of request %d", uint64(got), n)
		}
		if err := c.reap(n, f); err != nil {
			return false, err
		}
		changed = true
	}
	if !changed {
		return p.open == 0, nil
	}
	for c.low != c.next && c.flights[c.slot(c.low)].answered() {
		c.low++
	}
	if c.payment != nil {
		if err := c.settled(); err != nil {
			return false, err
		}
	}
	if p.open == 0 {
		return true, nil
	}
	if p.asked < len(p.requests) {
		err = c.ask(p)
	}
	return p.open == 0, err
}

// reap takes the answer to request n.
func (c *Channel) reap(n uint64, f *flight) error {
	f.turn = transport.TurnOf(n, transport.Answered)
	p := f.party
	if p != c.me {
		c.others--
	}
	if p == nil {
		c.abandoned.Add(-1)
		c.late.Add(1)
		return nil
	}
	c.wanting--
	if p == c.me {
		return c.deliver(n, f, p)
	}
	c.turn.mu.Lock()
	defer c.turn.mu.Unlock()
	if p.gone || p.woken {
		return nil
	}
	err := c.deliver(n, f, p)
	if p.open == 0 {
		c.dismiss(p)
	}
	return err
}

func (c *Channel) deliver(n uint64, f *flight, p *party) error {
	r := f.request
	f.party, f.request = nil, nil
	if r == nil {
		p.names--
		return nil
	}
	out, err := c.taken(n, f.shape, r.Output)
	r.Output = out
	r.end(err)
	p.open--
	return c.broken
}

// taken copies an answer out, within the limits that this side knows.
func (c *Channel) taken(n uint64, asked shape, dst []byte) ([]byte, error) {
	slot := c.slot(n)
	got := shape(c.h.Slots[slot].Shape.Load())
	length := got.length()
	if got.flags()&^flagsOfPlace != 0 || got.place() == flagsOfPlace {
		return nil, c.violated("an answer with flags %#x", got.flags())
	}
	var part []byte
	switch got.place() {
	case 0:
		part = c.h.Slots[slot].Line[:]
	case flagNear:
		part = c.part(slot)[min(asked.answerAt(flagNear), c.near):]
	case flagData:
		data, err := c.memory()
		if err != nil {
			return nil, err
		}
		part = c.partOf(data, slot)[min(asked.answerAt(flagData), c.data):]
	}
	if length > len(part) {
		return nil, c.violated("output of %d bytes where %d fit", length, len(part))
	}
	status := got.status()
	if status == StatusOK {
		return append(dst[:0], part[:length]...), nil
	}
	err := ReceivedStatus(status, part[:length])
	if errors.Is(err, ErrProtocol) {
		c.broken = err
	}
	return nil, err
}

// ask puts requests of p, and then of those in the queue, into the channel, as long
// as there is room, and notifies the server once. An error is that of p.
func (c *Channel) ask(p *party) error {
	switch {
	case c.blocksCPU() && c.others == 0:
		c.setWaiting(0)
	case c.spins() == 0:
		c.setWaiting(c.wake())
	}
	first, until := c.next, p.deadline
	if err := c.post(p); err != nil {
		return err
	}
	if c.turn.state.Load() == turnWatched {
		c.turn.mu.Lock()
		until = c.attend(until)
		c.turn.mu.Unlock()
	}
	if c.next == first || c.h.Server.Waiting.Load() == 0 {
		return nil
	}
	err := c.signal(until)
	for n := first; err != nil && n != c.next; n++ {
		// The server may find it nevertheless.
		if f := &c.flights[c.slot(n)]; f.party != nil && f.party != p {
			c.turn.mu.Lock()
			f.party.gone = true
			f.party.fail(err)
			c.turn.remove(f.party)
			c.dismiss(f.party)
			c.turn.mu.Unlock()
		}
	}
	return err
}

// attend gives up what followers have given up, and asks what they want to ask. It
// returns the latest deadline of those and of until. The caller has turn.mu.
func (c *Channel) attend(until time.Time) time.Time {
	t := &c.turn
	for n := c.low; n != c.next; n++ {
		f := &c.flights[c.slot(n)]
		if f.party != nil && f.party.gone && !f.answered() {
			c.drop(n, f)
			c.ep.Notify() // so that the server may end early
		}
	}
	for len(t.queue) > 0 && c.next-c.low <= c.mask {
		p := t.queue[0]
		if err := c.post(p); err != nil {
			p.gone = true
			p.fail(err)
		}
		if p.open == 0 {
			c.dismiss(p)
		}
		if p.deadline.IsZero() || !until.IsZero() && p.deadline.After(until) {
			until = p.deadline
		}
		if p.open > 0 && p.asked < len(p.requests) {
			break
		}
		t.queue = t.queue[1:]
	}
	if len(t.queue) == 0 && !t.closed {
		t.state.Store(turnLed)
	}
	return until
}

// glance looks at the followers, if they have changed.
func (c *Channel) glance(p *party) error {
	if c.turn.state.Load() != turnWatched {
		return nil
	}
	return c.ask(p)
}

// giveUp ends p early; without an error, it gives up only names that a server has
// answered after their function's request, or never. The server may still serve its
// requests: their slots stay taken until they are answered.
func (c *Channel) giveUp(p *party, err error) {
	if c.dropAll(p) {
		c.ep.Notify() // the caller gets the reason for the missing answer, which matters more
	}
	c.unpaid()
	if p.asked == 0 && c.low != c.next && errors.Is(err, ErrTimeout) {
		err = fmt.Errorf("the server is still busy with an abandoned call: %w", err)
	}
	p.fail(err)
}

// dismiss wakes a follower whose requests have ended. The caller has turn.mu.
func (c *Channel) dismiss(p *party) {
	c.dropAll(p)
	p.rouse(false)
}

// dropAll drops what p has in the channel, and reports whether there was anything.
func (c *Channel) dropAll(p *party) (dropped bool) {
	for n := c.low; n != c.next; n++ {
		if f := &c.flights[c.slot(n)]; f.party == p && !f.answered() {
			c.drop(n, f)
			dropped = true
		}
	}
	return dropped
}

// drop tells the server that the answer to request n is not waited for.
func (c *Channel) drop(n uint64, f *flight) {
	f.party, f.request = nil, nil
	c.wanting--
	c.abandoned.Add(1)
	given := transport.TurnOf(n, transport.GivenUp)
	if c.h.Slots[c.slot(n)].Turn.CompareAndSwap(uint64(f.turn), uint64(given)) {
		f.turn = given
	}
}

// violated marks the channel as dead: after one violation none of its words can
// be trusted.
func (c *Channel) violated(format string, args ...any) error {
	c.broken = protocolError(format, args...)
	return c.broken
}
