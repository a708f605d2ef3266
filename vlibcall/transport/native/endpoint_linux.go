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
	leave func() // at Close: out of what waits for it
	freed func() // after Close, or nil
	peer  Peer   // of a guarded listener's
	lent  *Lent  // of a guarded listener's, until freed

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

// release frees an endpoint at which no call waits any more, but for its
// socket.
func (e *endpoint) release() error {
	e.leave()
	errs := []error{e.remote.close(), e.local.close()}
	if e.mem != nil {
		errs = append(errs, unix.Munmap(e.mem))
	}
	return errors.Join(errs...)
}

func (e *endpoint) Close() error {
	e.once.Do(func() {
		e.conn.Close()
		e.watch.Wait()
		e.err = e.release()
		if e.freed != nil {
			e.freed()
		}
	})
	return e.err
}
