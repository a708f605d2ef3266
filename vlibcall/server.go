// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"context"
	"errors"
	"fmt"
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

// Resolver finds a handler for a function that was not registered by Handle. It is
// asked once for each channel that calls the function, and again after an error.
type Resolver func(library, function string) (Handler, error)

// Server serves the calls to one vLib OS. What its fields say is the policy of its
// port; they are set before Serve or Listen.
type Server struct {
	// Order in which channels are served.
	Order Order
	// AtOnce is how many requests Serve serves at the same time, each in a goroutine
	// of its own; then handlers must be safe for concurrent use, and no channel is
	// polled. A free place goes to the channel that has the fewest, except by Order
	// ByPeriod. Default 1.
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
	s.changes.Add(1)
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
		if s.places != nil {
			s.places <- struct{}{}
		}
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

// lookup finds the handler for a function of a channel, and remembers it.
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
	if resolve == nil {
		return nil, s.unknown(b.library, b.function)
	}
	h, err := resolve(b.library, b.function)
	if err == nil {
		b.handler, b.changes = h, changes
	}
	return h, err
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
