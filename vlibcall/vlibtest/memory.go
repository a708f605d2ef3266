// SPDX-License-Identifier: Apache-2.0

// Package vlibtest is a vlibcall transport on plain memory, within one
// process: for tests of the protocol, honest and hostile. It is not a way to
// call another domain.
package vlibtest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/vlibos/vlibos/vlibcall"
)

// Listener is a vLib OS in memory. It is its own vlibcall.Dialer: Dial
// connects to it.
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

// Dial implements vlibcall.Dialer.
func (l *Listener) Dial(_ context.Context, o vlibcall.Offer) (vlibcall.ClientEndpoint, error) {
	mem := Pages(o.Size)
	if err := vlibcall.Format(mem[:vlibcall.HeaderSize], o.Size, o.Generation); err != nil {
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
	raw := make([]byte, n+vlibcall.HeaderSize)
	at := -int(uintptr(unsafe.Pointer(&raw[0]))) & (vlibcall.HeaderSize - 1)
	return raw[at : at+n : at+n]
}

// Wait implements vlibcall.Listener.
func (l *Listener) Wait(deadline time.Time) (vlibcall.Endpoint, error) {
	if !deadline.IsZero() {
		t := time.AfterFunc(time.Until(deadline), l.wake)
		defer t.Stop()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case l.closed:
			return nil, vlibcall.ErrClosed
		case l.interrupt:
			l.interrupt = false
			return nil, vlibcall.ErrInterrupted
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

// Interrupt implements vlibcall.Listener.
func (l *Listener) Interrupt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.interrupt = true
	l.cond.Broadcast()
}

// Close implements vlibcall.Listener.
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

// endpoint is one side. Events are a channel with room for one: an event
// that is already pending absorbs the next, as an event channel does.
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

func (e *endpoint) Header() []byte        { return e.mem[:vlibcall.HeaderSize:vlibcall.HeaderSize] }
func (e *endpoint) Data() ([]byte, error) { return e.mem[vlibcall.HeaderSize:], nil }

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
		return vlibcall.ErrInterrupted
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
