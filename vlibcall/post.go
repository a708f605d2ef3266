// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"fmt"
	"time"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

// post writes requests of p into the channel and publishes them, as long as there is
// room. A request that cannot be sent ends; an error is that of all.
func (c *Channel) post(p *party) error {
	limit := uint64(left(p.deadline))
	for p.asked < len(p.requests) && c.next-c.low <= c.mask {
		r := &p.requests[p.asked]
		sent, err := c.send(p, r, limit)
		if c.broken != nil {
			return c.broken
		}
		if err != nil {
			r.end(err)
			p.open--
		}
		if sent {
			p.number = c.next - 1
		}
		if sent || err != nil {
			p.asked++
		}
	}
	return nil
}

// send publishes a request, or, if both do not fit together, its names alone; then
// sent is false.
func (c *Channel) send(p *party, r *Request, limit uint64) (sent bool, err error) {
	fn, err := c.functions.of(r.Library, r.Function)
	if err != nil {
		return false, err
	}
	names, flags, input := 0, r.flags, r.Input
	if !fn.told {
		names, flags = nameLength(fn.library, fn.name), flags|flagNames
	}
	most := max(c.near, c.data)
	if len(input) > most {
		return false, c.tooLarge(len(input))
	}
	f := flight{party: p, request: r}
	if sent = names+len(input) <= most; !sent {
		if names > most {
			return false, c.tooLarge(names)
		}
		f.request, input, flags = nil, nil, flagNames|flagNothing
	}
	i := c.slot(c.next)
	s := &c.h.Slots[i]
	if got := transport.Turn(s.Turn.Load()); got != c.flights[i].turn {
		return false, c.violated("turn %#x stands before request %d", uint64(got), c.next)
	}
	size := names + len(input)
	var area []byte
	switch {
	case size <= transport.SlotSize:
		area = s.Line[:]
	case size <= c.near:
		area, flags = c.part(i), flags|flagNear
	default:
		data, err := c.memory()
		if err != nil {
			return false, err
		}
		area, flags = c.partOf(data, i), flags|flagData
	}
	if names != 0 {
		n := copy(area, fn.library)
		area[n] = 0
		n += 1 + copy(area[n+1:], fn.name)
		area[n] = 0
		fn.told = true
	}
	copy(area[names:], input)
	f.shape, f.turn = pack(size, fn.number, flags), transport.TurnOf(c.next, transport.Asked)
	plainStore(&s.Shape, uint64(f.shape))
	plainStore(&s.Timeout, limit)
	s.Turn.Swap(uint64(f.turn))
	c.flights[i] = f
	c.next++
	c.wanting++
	if !sent {
		p.names++
	}
	if f.party != c.me {
		c.others++
	}
	return sent, nil
}

// tooLarge names the size of a channel that would do.
func (c *Channel) tooLarge(n int) error {
	size := channelSize(int(c.mask)+1, n)
	return fmt.Errorf("%w: %d bytes, room for %d: set Options.Size (--size) to %d or more", ErrTooLarge, n, max(c.near, c.data), size)
}

// memory is the data area.
func (c *Channel) memory() ([]byte, error) {
	data, err := c.ep.Data()
	if err != nil {
		return nil, fmt.Errorf("map the data area: %w", err)
	}
	if len(data) != c.opts.Size-transport.HeaderSize {
		return nil, fmt.Errorf("transport mapped %d bytes of data, want %d", len(data), c.opts.Size-transport.HeaderSize)
	}
	return data, nil
}

// signal wakes the server, charging the reservation if there is one: for the last
// request, which stands for the earlier ones. A server that does not wait is still
// serving, and charges it.
func (c *Channel) signal(until time.Time) error {
	if c.payment == nil {
		return c.ep.Notify()
	}
	return c.refused(c.payment.Begin(c.next-1, left(until)))
}

// urge wakes a server that may not know of the abandoned requests before those of p:
// its domain does not run unless a reservation is charged.
func (c *Channel) urge(p *party) error {
	if c.payment == nil {
		return nil
	}
	return c.refused(c.payment.Urge(c.next-1, left(p.deadline)))
}

// refused adds that the reservation is the reason of an error.
func (c *Channel) refused(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %d: %w", ErrReservation, c.opts.Reservation, err)
}

// settled reports that answers have arrived: the charge ends for what is answered
// without a gap, or for all when the client waits for no more. It is one report: a
// transport may take what was used between two reports for the cost of a call.
func (c *Channel) settled() error {
	if c.unpaid() || c.low == 1 { // not yet the first
		return nil
	}
	return c.payment.End(c.low - 1)
}

// unpaid ends the charge if nothing waits for the requests in the channel, and reports
// whether that is so. Each caller has its answers or its error, which matter more than
// an error of this.
func (c *Channel) unpaid() bool {
	over := c.payment != nil && c.wanting == 0 && c.low != c.next
	if over {
		c.payment.GiveUp()
	}
	return over
}

// price reads the cost of p's requests, before another call can begin. A cost that
// cannot be read does not affect the answer.
func (c *Channel) price(p *party) {
	if c.payment == nil || p.number == 0 {
		return
	}
	if cost, err := c.payment.Cost(p.number); err == nil {
		p.cost = &cost
	}
}
