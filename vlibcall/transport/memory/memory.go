// SPDX-License-Identifier: Apache-2.0

// Package memory is a transport on plain memory, within one process. It is for
// tests: of the protocol, of programs that call or serve, and of peers that break
// the protocol ([Page]). It cannot call another domain.
package memory

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Listener is a vLib OS in memory, and its own transport.Dialer: Dial connects to
// it.
type Listener struct {
	mu        sync.Mutex
	cond      *sync.Cond
	ready     []*endpoint // signalled, in order
	all       map[*endpoint]struct{}
	interrupt bool
	closed    bool
}

// NewListener returns a vLib OS without a server.
func NewListener() *Listener {
	l := &Listener{all: make(map[*endpoint]struct{})}
	l.cond = sync.NewCond(&l.mu)
	return l
}

// Dial implements transport.Dialer.
func (l *Listener) Dial(_ context.Context, o transport.Offer) (transport.ClientEndpoint, error) {
	mem := Pages(o.Size)
	if err := transport.Format(mem[:transport.HeaderSize], o.Size, o.Generation); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, fmt.Errorf("dial: %w", vlibcall.ErrGone)
	}
	client, server := newEndpoint(mem), newEndpoint(mem)
	client.peer, server.peer = server, client
	server.listener = l
	l.all[server] = struct{}{}
	return client, nil
}

// Pages returns n bytes of zeroed memory, aligned as a page is.
func Pages(n int) []byte {
	raw := make([]byte, n+transport.HeaderSize)
	at := -int(uintptr(unsafe.Pointer(&raw[0]))) & (transport.HeaderSize - 1)
	return raw[at : at+n : at+n]
}

// Wait implements transport.Listener.
func (l *Listener) Wait(deadline time.Time) (transport.ServerEndpoint, error) {
	if !deadline.IsZero() {
		t := time.AfterFunc(time.Until(deadline), l.wake)
		defer t.Stop()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.closed:
			return nil, os.ErrClosed
		case l.interrupt:
			l.interrupt = false
			return nil, transport.ErrInterrupted
		case len(l.ready) > 0:
			ep := l.ready[0]
			l.ready = slices.Delete(l.ready, 0, 1)
			ep.queued = false
			return ep, nil
		case !deadline.IsZero() && !time.Now().Before(deadline):
			return nil, os.ErrDeadlineExceeded
		}
		l.cond.Wait()
	}
}

func (l *Listener) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cond.Broadcast()
}

// Interrupt implements transport.Listener.
func (l *Listener) Interrupt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.interrupt = true
	l.cond.Broadcast()
}

// Close implements transport.Listener.
func (l *Listener) Close() error {
	l.mu.Lock()
	l.closed = true
	l.cond.Broadcast()
	var open []*endpoint
	for ep := range l.all {
		open = append(open, ep)
	}
	l.mu.Unlock()
	for _, ep := range open {
		ep.Close()
	}
	return nil
}

func (l *Listener) signal(ep *endpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !ep.queued {
		ep.queued = true
		l.ready = append(l.ready, ep)
		l.cond.Broadcast()
	}
}

func (l *Listener) forget(ep *endpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, ep)
}

// endpoint is one side, the client's or the server's. Events are a Go channel
// of capacity one: as with an event channel, a pending event absorbs the next.
type endpoint struct {
	mem      []byte
	peer     *endpoint
	event    chan struct{}
	stop     chan struct{} // interrupts
	closed   chan struct{}
	once     sync.Once
	listener *Listener // on the server's side
	queued   bool      // under listener.mu
}

func newEndpoint(mem []byte) *endpoint {
	return &endpoint{
		mem:   mem,
		event: make(chan struct{}, 1), stop: make(chan struct{}, 1), closed: make(chan struct{}),
	}
}

func (e *endpoint) Header() []byte        { return e.mem[:transport.HeaderSize:transport.HeaderSize] }
func (e *endpoint) Data() ([]byte, error) { return e.mem[transport.HeaderSize:], nil }

func (e *endpoint) Notify() error {
	if p := e.peer; p.listener != nil {
		p.listener.signal(p)
	} else {
		select {
		case p.event <- struct{}{}:
		default:
		}
	}
	return nil
}

// NotifyLate implements transport.ServerEndpoint.
func (e *endpoint) NotifyLate() error { return e.Notify() }

// Begin implements transport.ServerEndpoint.
func (*endpoint) Begin(uint64) error { return nil }

// End implements transport.ServerEndpoint.
func (*endpoint) End(uint64) {}

// Peer implements transport.ServerEndpoint.
func (*endpoint) Peer() (p transport.Peer, ok bool) { return p, false }

// Payment implements transport.ClientEndpoint: memory knows no reservations.
func (*endpoint) Payment() transport.Payment { return nil }

func (e *endpoint) Wait(deadline time.Time) error {
	var expired <-chan time.Time
	if !deadline.IsZero() {
		t := time.NewTimer(time.Until(deadline))
		defer t.Stop()
		expired = t.C
	}
	select {
	case <-e.event:
		return nil
	case <-e.stop:
		return transport.ErrInterrupted
	case <-e.peer.closed:
		return nil
	case <-expired:
		return os.ErrDeadlineExceeded
	}
}

func (e *endpoint) Interrupt() {
	select {
	case e.stop <- struct{}{}:
	default:
	}
}

func (e *endpoint) Gone() error {
	select {
	case <-e.peer.closed:
		return fmt.Errorf("%w: its end of the memory is closed", vlibcall.ErrGone)
	default:
		return nil
	}
}

func (e *endpoint) Close() error {
	e.once.Do(func() {
		close(e.closed)
		if e.listener != nil {
			e.listener.forget(e)
		}
		e.Notify()
	})
	return nil
}
