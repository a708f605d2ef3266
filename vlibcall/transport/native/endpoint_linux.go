// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/native/ledger"
)

// endpoint is one side of a channel. It implements transport.ClientEndpoint and
// transport.ServerEndpoint.
type endpoint struct {
	mem    []byte
	remote *event // the peer waits for it
	local  *event // this side waits for it
	w      *waiter
	conn   *net.UnixConn // closes when the peer does or dies
	gone   atomic.Bool

	watch sync.WaitGroup // of the goroutine that reads conn
	once  sync.Once
	err   error
	lost  func() // the peer is gone: wakes the waiter
	leave func() // at Close: removes it from the waiter
	freed func() // after Close, or nil

	payment *payment // the client's side; nil: no reservation is charged

	// The server's side.
	peer        *transport.Peer // nil: the listener is not guarded
	lent        *Lent           // of a guarded listener, until freed
	reservation uint32          // charged for this channel's calls; 0: none
	ledger      *ledger.Keeper  // of the domain, if a reservation is charged
}

// Peer implements transport.ServerEndpoint: a guarded [Listener] knows it.
func (e *endpoint) Peer() (p transport.Peer, ok bool) {
	if e.peer == nil {
		return p, false
	}
	return *e.peer, true
}

// NotifyLate implements transport.ServerEndpoint: one system call either way.
func (e *endpoint) NotifyLate() error { return e.Notify() }

func (e *endpoint) Header() []byte        { return e.mem[:transport.HeaderSize:transport.HeaderSize] }
func (e *endpoint) Data() ([]byte, error) { return e.mem[transport.HeaderSize:], nil }
func (e *endpoint) Notify() error         { return e.remote.signal() }
func (e *endpoint) Interrupt()            { e.w.stop() }

func (e *endpoint) Wait(deadline time.Time) error {
	if e.gone.Load() {
		return nil
	}
	_, err := e.w.wait(deadline)
	return err
}

func (e *endpoint) Gone() error {
	if !e.gone.Load() {
		return nil
	}
	return fmt.Errorf("%w: its process closed the channel or died", vlibcall.ErrGone)
}

// watchPeer marks the endpoint as gone when the peer's socket closes. After the
// handshake, and only with a reservation, the socket carries bytes to the
// server, each of which reports an abandoned call; anything else also ends the
// peer. Events cannot show the end: the peer has them as well, and may have
// disabled them.
func (e *endpoint) watchPeer() {
	e.watch.Go(func() {
		for b := make([]byte, 1); ; e.heard() {
			if n, err := e.conn.Read(b); n == 0 || err != nil || e.reservation == 0 {
				break
			}
		}
		e.gone.Store(true)
		e.lost()
		e.heard()
	})
}

// release frees an endpoint at which no call waits any more, except its socket.
func (e *endpoint) release() error {
	e.leave()
	errs := []error{e.remote.close(), e.local.close()}
	if e.mem != nil {
		errs = append(errs, unix.Munmap(e.mem))
	}
	return errors.Join(errs...)
}

// depart says in the server's name that it has left.
func (e *endpoint) depart() {
	if h, err := transport.HeaderOf(e.Header()); err == nil {
		h.Server.Alive.Store(0)
	}
}

func (e *endpoint) Close() error {
	e.once.Do(func() {
		e.conn.Close()
		e.watch.Wait()
		e.err = e.release()
		if e.payment != nil {
			e.err = errors.Join(e.err, e.payment.ledger.Close())
		}
		if e.freed != nil {
			e.freed()
		}
	})
	return e.err
}
