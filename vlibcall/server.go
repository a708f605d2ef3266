// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"context"
	"errors"
	"fmt"
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

// Server serves the calls to one vLib OS, one at a time, in the order of
// their arrival over all its channels.
type Server struct {
	// Linger is how long the server polls a channel after an answer, before it
	// listens to all again. 0, the default, gives the CPU away at once; a
	// longer time suits clients that spin.
	Linger time.Duration
	// SessionIdle is the same within a session. Default 1 ms.
	SessionIdle time.Duration
	// InOrder is for clients that do not trust one another: channels are served
	// strictly in the order of their signals. The one answered last is not
	// polled before the others, whatever Linger and SessionIdle are, since a
	// client that calls again at once would keep the others out.
	InOrder bool

	l        transport.Listener
	mu       sync.RWMutex // handlers, resolve
	handlers map[string]Handler
	resolve  Resolver
	changes  atomic.Uint64 // of handlers

	conns  map[transport.ServerEndpoint]*conn
	recent *conn // polled before listening
	waits  waits
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
		n := names(key)
		f(string(n.library()), string(n.function()))
	}
}

// Serve serves until ctx is done (nil) or the listener fails, then closes
// the listener and every channel.
func (s *Server) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, s.l.Interrupt)
	defer stop()
	for {
		c, err := s.listen(ctx)
		if err != nil {
			return errors.Join(s.Close(), ignoreEnd(ctx, err))
		}
		h, err := s.lookup(c.conn)
		if err == nil {
			err = run(h, c)
		}
		c.Done(err)
	}
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
	s.recent = nil
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
		return c, nil
	}
	for {
		s.waits.next()
		ep, err := s.l.Wait(time.Time{})
		if errors.Is(err, transport.ErrInterrupted) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		if c := s.visit(ep); c != nil {
			return c, nil
		}
	}
}

// visit examines a channel that was signalled.
func (s *Server) visit(ep transport.ServerEndpoint) *Call {
	cn := s.conns[ep]
	if ep.Gone() != nil {
		s.drop(ep)
		return nil
	}
	if cn == nil {
		var err error
		if cn, err = newConn(s, ep); err != nil {
			s.drop(ep)
			return nil
		}
		s.conns[ep] = cn
	}
	return cn.request()
}

func (s *Server) drop(ep transport.ServerEndpoint) {
	if s.recent != nil && s.recent.ep == ep {
		s.recent = nil
	}
	delete(s.conns, ep)
	ep.Close() // a failure cannot be handled, and its client is gone
}

// poll spins on the channel that was served last.
func (s *Server) poll() *Call {
	cn := s.recent
	if cn == nil {
		return nil
	}
	s.recent = nil
	if s.InOrder {
		// Clients were told that the server sleeps, so a new request came with
		// a signal.
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
	if s.InOrder {
		return 0
	}
	if cn.session {
		return s.SessionIdle
	}
	return s.Linger
}

// spin polls one channel, whose client need not signal.
func (cn *conn) spin(window time.Duration) *Call {
	cn.setWaiting(0)
	var start time.Time
	for polls := 1; ; polls++ {
		pause(&cn.h.Request.Inline[secondLine])
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
// for which no reservation is charged, and the beginning and end of a session.
func (s *Server) control(c *Call) bool {
	var err error
	switch flags := c.shape.flags(); {
	case c.malformed != nil:
		err = c.malformed
	case flags&flagSessionEnd != 0:
		c.conn.session = false
	case c.unpaid != nil:
		err = c.unpaid
	case flags&flagSessionOpen != 0:
		if _, err = s.lookup(c.conn); err == nil {
			c.conn.session = true
		}
	default:
		return false
	}
	c.Done(err)
	return true
}

// lookup finds the handler for a channel's call. A registered one is
// remembered: most calls of a channel have the same names.
func (s *Server) lookup(cn *conn) (Handler, error) {
	changes := s.changes.Load()
	if cn.handler != nil && cn.changes == changes {
		return cn.handler, nil
	}
	key := names(cn.names[:cn.namesLen])
	s.mu.RLock()
	h, resolve := s.handlers[string(key)], s.resolve
	s.mu.RUnlock()
	if h != nil {
		cn.handler, cn.changes = h, changes
		return h, nil
	}
	library, function := string(key.library()), string(key.function())
	if resolve != nil {
		return resolve(library, function)
	}
	return nil, s.unknown(library, function)
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
