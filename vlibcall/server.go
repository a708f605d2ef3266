// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Handler serves one call: it reads Call.Input, writes with Call.Reply or
// Call.Reserve, and returns nil or the error for the client: a StatusError,
// one of this package's sentinels, or any other, which becomes StatusFailed.
// It must not keep the Call.
type Handler func(c *Call) error

// Resolver finds a handler for a function that was not registered by Handle.
type Resolver func(library, function string) (Handler, error)

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

// Server serves the calls to one vLib OS. What its fields say is the policy of its
// port; they are set before Serve or Listen.
type Server struct {
	// Order in which channels are served.
	Order Order
	// AtOnce is how many requests Serve serves at the same time, each in a goroutine
	// of its own; then handlers must be safe for concurrent use. Default 1.
	AtOnce int
	// Linger is how long the server polls a channel after an answer, before it
	// listens to all again. 0, the default, gives the CPU away at once; a
	// longer time suits clients that spin.
	Linger time.Duration
	// SessionIdle is the same within a session. Default 1 ms.
	SessionIdle time.Duration

	l        transport.Listener
	mu       sync.RWMutex // handlers, resolve
	handlers map[string]Handler
	resolve  Resolver
	changes  atomic.Uint64 // of handlers

	conns  map[transport.ServerEndpoint]*conn
	recent *conn   // polled before listening
	ready  []*conn // that have requests, unless the order is FIFO
	waits  waits

	// If Serve serves several requests at the same time:
	places     chan struct{}
	work       sync.WaitGroup // goroutines that serve or close channels
	underWay   atomic.Int32   // requests
	eventsOnly atomic.Bool    // the listener waits only for events, or is about to wait
}

// NewServer returns a server for the channels of l, which it then owns.
func NewServer(l transport.Listener) *Server {
	return &Server{
		SessionIdle: time.Millisecond,
		l:           l,
		handlers:    make(map[string]Handler),
		conns:       make(map[transport.ServerEndpoint]*conn),
	}
}

// Handle registers a function. It may be called while serving.
func (s *Server) Handle(library, function string, h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handlers[library+"\x00"+function] = h
	s.changes.Add(1)
}

// HandleRest registers a resolver for all other functions.
func (s *Server) HandleRest(r Resolver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resolve = r
}

// Functions calls f for each function registered by Handle.
func (s *Server) Functions(f func(library, function string)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for key := range s.handlers {
		library, function, _ := strings.Cut(key, "\x00")
		f(library, function)
	}
}

// Serve serves until ctx is done (nil) or the listener fails, then closes
// the listener and every channel.
func (s *Server) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, s.l.Interrupt)
	defer stop()
	if s.AtOnce > 1 {
		s.places = make(chan struct{}, s.AtOnce)
	}
	for {
		c, err := s.listen(ctx)
		if err != nil {
			s.work.Wait()
			return errors.Join(s.Close(), ignoreEnd(ctx, err))
		}
		h, err := s.lookup(c.function)
		if s.places == nil {
			c.serve(h, err)
			continue
		}
		s.places <- struct{}{}
		s.work.Go(func() {
			c.serve(h, err)
			<-s.places
		})
	}
}

// serve serves a call by h, or answers with the reason why there is none.
func (c *Call) serve(h Handler, err error) {
	if err == nil {
		err = run(h, c)
	}
	c.Done(err)
}

func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// run limits a handler's panic to its call.
func run(h Handler, c *Call) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &StatusError{Status: StatusCrashed, Detail: fmt.Sprint("handler panicked: ", r)}
		}
	}()
	return h(c)
}

// Close closes the listener and all channels. It must not be called while Serve
// or Listen runs; end those by their context.
func (s *Server) Close() error {
	err := s.l.Close()
	for ep := range s.conns {
		err = errors.Join(err, ep.Close())
	}
	clear(s.conns)
	s.recent, s.ready = nil, nil
	return err
}

// Listen blocks until a client calls (vLib_listen). The caller serves the call
// and ends it with Call.Done before it listens again. Errors: ctx.Err,
// os.ErrClosed, or those of the transport.
func (s *Server) Listen(ctx context.Context) (*Call, error) {
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, s.l.Interrupt)
		defer stop()
	}
	return s.listen(ctx)
}

func (s *Server) listen(ctx context.Context) (*Call, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for {
		c, err := s.next(ctx)
		if err != nil {
			return nil, err
		}
		if !s.control(c) {
			return c, nil
		}
	}
}

// next returns the next request of any channel.
func (s *Server) next(ctx context.Context) (*Call, error) {
	if c := s.poll(); c != nil {
		return s.begin(c), nil
	}
	for {
		if len(s.ready) > 0 {
			if err := s.gather(); err != nil {
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
		case s.Order != FIFO:
			s.ready = append(s.ready, cn)
		default:
			if c := cn.request(); c != nil {
				return s.begin(c), nil
			}
		}
	}
}

// begin is called for each request that was taken.
func (s *Server) begin(c *Call) *Call {
	if s.AtOnce > 1 {
		c.conn.serving.Add(1)
		if s.places != nil {
			c.conn.working.Add(1)
			s.underWay.Add(1)
		}
	}
	s.recent = c.conn
	return c
}

// until is how long to wait for a signal. While requests are served in goroutines it
// is not for ever, so that the transport does not give the domain's CPUs away; the
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
	if ep.Gone() != nil {
		s.drop(ep)
		return nil, nil
	}
	if cn == nil {
		if cn, err = newConn(s, ep); err != nil {
			s.drop(ep)
			return nil, nil
		}
		s.conns[ep] = cn
	}
	return cn, nil
}

// gather adds the channels that have been signalled meanwhile, and does not wait.
func (s *Server) gather() error {
	for {
		cn, err := s.await(time.Unix(0, 1))
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case errors.Is(err, transport.ErrInterrupted):
			s.l.Interrupt() // for the next wait
			return nil
		case err != nil:
			return err
		case cn != nil && !slices.Contains(s.ready, cn):
			s.ready = append(s.ready, cn)
		}
	}
}

// choose takes a request of the ready channel whose turn it is.
func (s *Server) choose() *Call {
	for len(s.ready) > 0 {
		i := 0
		if s.Order == ByPeriod {
			for j, cn := range s.ready {
				if cn.period < s.ready[i].period {
					i = j
				}
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

func (s *Server) drop(ep transport.ServerEndpoint) {
	cn := s.conns[ep]
	if s.recent != nil && s.recent == cn {
		s.recent = nil
	}
	s.ready = slices.DeleteFunc(s.ready, func(r *conn) bool { return r == cn })
	delete(s.conns, ep)
	// A failure to close cannot be handled, and the client is gone.
	if s.places == nil || cn == nil {
		ep.Close()
		return
	}
	s.work.Go(func() {
		cn.working.Wait() // handlers may use the memory
		ep.Close()
	})
}

// poll looks for the next request of the channel that was served last.
func (s *Server) poll() *Call {
	cn := s.recent
	if cn == nil {
		return nil
	}
	s.recent = nil
	if s.Order != FIFO {
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
	if s.Order != FIFO {
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
	for polls := 1; ; polls++ {
		pause()
		if c := cn.request(); c != nil {
			return c
		}
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

// control answers requests that are not for a handler: malformed ones, those
// for which no reservation is charged, and those that call nothing.
func (s *Server) control(c *Call) bool {
	var err error
	switch {
	case c.malformed != nil:
		err = c.malformed
	case c.unpaid != nil:
		err = c.unpaid
	case c.shape.flags()&flagNothing != 0:
		_, err = s.lookup(c.function)
	default:
		return false
	}
	c.Done(err)
	return true
}

// lookup finds the handler for a function of a channel. A registered one is
// remembered.
func (s *Server) lookup(b *binding) (Handler, error) {
	changes := s.changes.Load()
	if b.handler != nil && b.changes == changes {
		return b.handler, nil
	}
	s.mu.RLock()
	h, resolve := s.handlers[b.library+"\x00"+b.function], s.resolve
	s.mu.RUnlock()
	if h != nil {
		b.handler, b.changes = h, changes
		return h, nil
	}
	if resolve != nil {
		return resolve(b.library, b.function)
	}
	return nil, s.unknown(b.library, b.function)
}

func (s *Server) unknown(library, function string) error {
	err := &StatusError{Status: StatusNoLibrary, Detail: library}
	s.Functions(func(l, _ string) {
		if l == library {
			err = &StatusError{Status: StatusNoFunction, Detail: function + " in " + library}
		}
	})
	return err
}
