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
)

// endpoint is one side of a channel. It implements
// vlibcall.Endpoint and, on the client's side, vlibcall.ClientEndpoint.
type endpoint struct {
	mem    []byte
	remote *event // the peer waits for it
	local  *event // we wait for it
	w      *waiter
	conn   *net.UnixConn // its end tells of the peer's
	gone   atomic.Bool

	watch sync.WaitGroup // of the goroutine that reads conn
	once  sync.Once
	err   error
	lost  func() // the peer is gone: wakes who waits
	after func() // at Close
	peer  Peer   // of a guarded listener's

	bill *billed // what the server gets instead; nil: nobody pays
}

// Peer is who opened the channel, on the side of a guarded [Listener].
func (e *endpoint) Peer() Peer { return e.peer }

func (e *endpoint) Header() []byte        { return e.mem[:vlibcall.HeaderSize:vlibcall.HeaderSize] }
func (e *endpoint) Data() ([]byte, error) { return e.mem[vlibcall.HeaderSize:], nil }
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

// watchPeer marks the endpoint as gone when the peer's socket closes. The
// socket carries nothing after the handshake but, where a reservation pays, bytes
// to the server that a call was given up; whatever else comes is an end too. The
// events are the peer's as well, who may have made them useless.
func (e *endpoint) watchPeer() {
	e.watch.Go(func() {
		for b := make([]byte, 1); ; e.bill.heard() {
			if n, err := e.conn.Read(b); n == 0 || err != nil || e.bill == nil {
				break
			}
		}
		e.gone.Store(true)
		e.lost()
		if e.bill != nil {
			e.bill.heard()
		}
	})
}

// discard frees an endpoint that nobody was given, but its socket.
func (e *endpoint) discard() error {
	return errors.Join(e.remote.close(), e.local.close(), unix.Munmap(e.mem))
}

func (e *endpoint) Close() error {
	e.once.Do(func() {
		e.conn.Close()
		e.watch.Wait()
		if e.after != nil {
			e.after()
		}
		e.err = e.discard()
	})
	return e.err
}
