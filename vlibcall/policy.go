// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Order is the order in which a server serves the channels that have requests.
type Order uint8

const (
	// FIFO serves channels in the order of their signals, and all that a channel
	// has before the next one: the order of the vLibOS paper, and the default.
	FIFO Order = iota
	// InTurn is for clients that do not trust one another: channels are served in
	// the order of their signals, one request each, whatever Linger and SessionIdle
	// are, since a client that calls again at once would keep the others out.
	InTurn
	// ByPeriod serves the client with the shortest period first, one request at a
	// time; those without a period last. Clients say their period themselves.
	ByPeriod
)

var orders = [...]string{FIFO: "fifo", InTurn: "in-turn", ByPeriod: "period"}

func (o Order) String() string { return orders[o] }

// ParseOrder is the inverse of Order.String.
func ParseOrder(text string) (Order, error) {
	if i := slices.Index(orders[:], text); i >= 0 {
		return Order(i), nil
	}
	return 0, fmt.Errorf("%.80q: want one of %v", text, orders)
}

// next returns the next request of any channel.
func (s *Server) next(ctx context.Context) (*Call, error) {
	if c := s.poll(); c != nil {
		return s.begin(c), nil
	}
	for {
		if len(s.ready) > 0 {
			if err := s.gather(ctx); err != nil {
				return nil, err
			}
			if c := s.choose(); c != nil {
				return s.begin(c), nil
			}
		}
		cn, err := s.await(s.until())
		s.eventsOnly.Store(false)
		if errors.Is(err, transport.ErrInterrupted) || errors.Is(err, os.ErrDeadlineExceeded) {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		switch {
		case cn == nil:
		case s.chooses():
			s.ready = append(s.ready, cn)
		default:
			if c := cn.request(); c != nil {
				return s.begin(c), nil
			}
		}
	}
}

// chooses reports whether the next request is chosen among those of all channels.
func (s *Server) chooses() bool { return s.Order != FIFO || s.places != nil }

// begin is called for each request that was taken.
func (s *Server) begin(c *Call) *Call {
	if s.places != nil {
		c.served.Store(true)
		c.conn.serving.Add(1)
		c.conn.working.Add(1)
		s.underWay.Add(1)
	}
	s.recent = c.conn
	return c
}

// until is how long to wait for a signal. While requests are served in goroutines
// there is a deadline, so that the transport does not give the domain's CPUs away; the
// last of them interrupts the wait.
func (s *Server) until() (deadline time.Time) {
	if s.places == nil {
		return deadline
	}
	s.eventsOnly.Store(true)
	if s.underWay.Load() > 0 {
		deadline = time.Now().Add(time.Hour)
	}
	return deadline
}

// ended is called when the answer of a goroutine is published.
func (s *Server) ended(cn *conn) {
	cn.working.Done()
	if s.underWay.Add(-1) == 0 && s.eventsOnly.Load() {
		s.l.Interrupt()
	}
}

// await waits for a channel with a signal; nil: it was dropped, or there is none yet.
func (s *Server) await(deadline time.Time) (*conn, error) {
	s.waits.next()
	ep, err := s.l.Wait(deadline)
	if err != nil {
		return nil, err
	}
	cn := s.conns[ep]
	if cn != nil && cn.dropped {
		return nil, nil
	}
	if ep.Gone() != nil {
		s.drop(ep)
		return nil, nil
	}
	if cn == nil {
		if !transport.ClientCame(ep.Header()) {
			return nil, nil // an event of an earlier channel that had this one's port
		}
		if cn, err = newConn(s, ep); err != nil {
			s.drop(ep)
			return nil, nil
		}
		s.conns[ep] = cn
	}
	return cn, nil
}

// gather adds the channels that have been signalled meanwhile, and does not wait. It
// looks once for each channel: clients may signal faster than it looks.
func (s *Server) gather(ctx context.Context) error {
	for range len(s.conns) + 1 {
		cn, err := s.await(time.Unix(0, 1))
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case errors.Is(err, transport.ErrInterrupted):
			if err := ctx.Err(); err != nil {
				return err
			}
		case err != nil:
			return err
		case cn != nil && !slices.Contains(s.ready, cn):
			s.ready = append(s.ready, cn)
		}
	}
	return nil
}

// choose takes a request of the ready channel whose turn it is. If several requests are
// served at the same time, a free place goes to the channel that has the fewest: one
// has them all only while no other waits.
func (s *Server) choose() *Call {
	for len(s.ready) > 0 {
		i := 0
		for j, cn := range s.ready {
			if s.before(cn, s.ready[i]) {
				i = j
			}
		}
		cn := s.ready[i]
		s.ready = slices.Delete(s.ready, i, i+1)
		if c := cn.request(); c != nil {
			return c
		}
	}
	return nil
}

// before reports whether a is served before b, which signalled earlier or later.
func (s *Server) before(a, b *conn) bool {
	if s.Order == ByPeriod && a.period != b.period {
		return a.period < b.period
	}
	return a.serving.Load() < b.serving.Load()
}

func (s *Server) drop(ep transport.ServerEndpoint) {
	cn := s.conns[ep]
	if s.recent != nil && s.recent == cn {
		s.recent = nil
	}
	s.ready = slices.DeleteFunc(s.ready, func(r *conn) bool { return r == cn })
	// A failure to close cannot be handled, and the client is gone.
	if s.places == nil || cn == nil {
		delete(s.conns, ep)
		ep.Close()
		return
	}
	maps.DeleteFunc(s.conns, func(_ transport.ServerEndpoint, cn *conn) bool { return cn.closed.Load() })
	cn.dropped = true // a client that has left may signal
	s.work.Go(func() {
		cn.working.Wait() // handlers may use the memory
		ep.Close()
		cn.closed.Store(true)
	})
}

// poll looks for the next request of the channel that was served last.
func (s *Server) poll() *Call {
	cn := s.recent
	if cn == nil {
		return nil
	}
	s.recent = nil
	if s.chooses() {
		// What comes later comes with a signal, since clients were told that the
		// server sleeps.
		if cn.asked() {
			s.ready = append(s.ready, cn)
		}
		return nil
	}
	if window := s.window(cn); window > 0 {
		if c := cn.spin(window); c != nil {
			return c
		}
	}
	cn.setWaiting(1)
	// A request that arrived between the last check and the store above did not
	// signal.
	return cn.request()
}

// window is how long to poll a channel after an answer.
func (s *Server) window(cn *conn) time.Duration {
	if s.chooses() {
		return 0
	}
	if cn.polled {
		return s.SessionIdle
	}
	return s.Linger
}

// spin polls one channel, whose client need not signal.
func (cn *conn) spin(window time.Duration) *Call {
	cn.setWaiting(0)
	var start time.Time
	cn.patience.wait()
	for polls := 1; ; polls++ {
		if c := cn.request(); c != nil {
			cn.patience.looked(polls)
			return c
		}
		pause()
		if polls%checkEvery != 0 {
			continue
		}
		now := time.Now()
		if start.IsZero() {
			start = now
		}
		if now.Sub(start) >= window || cn.ep.Gone() != nil {
			return nil
		}
	}
}
