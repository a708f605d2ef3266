// SPDX-License-Identifier: Apache-2.0

package native

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/unixpath"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/native/ledger"
)

// Listener implements transport.Listener.
type Listener struct {
	w      *waiter
	socket *net.UnixListener // nil for Accepted
	work   sync.WaitGroup    // accepting, handshakes
	guard  Guard             // nil: every client that can connect gets a channel
	ledger *ledger.Keeper    // nil: no reservation can be charged
	unpaid error             // why there is no ledger
	// places limits the channels of a listener without a guard; refusing limits
	// how many refused clients get the reason.
	places, refusing chan struct{}

	mu       sync.Mutex
	shaking  map[*net.UnixConn]struct{}
	channels map[int32]*endpoint
	lost     []*endpoint // whose peers are gone, for Wait to return
	never    error       // why the one channel of Accepted was not made
	lastKey  int32
	closed   bool
}

// MaxSize of a channel, in bytes.
const MaxSize = 64 << 20

// mostChannels is the largest number of channels of a listener without a guard:
// each uses three descriptors.
const mostChannels = 512

// Listen serves port of the native domain with the directory dir, which it
// makes if necessary. The socket of a dead server is replaced; that of a live
// one is an error. A process that may connect is trusted not to delay the
// server: by the socket's mode these are processes of its own user and of root.
// [ListenGuarded] is for others.
func Listen(dir string, port transport.Port) (*Listener, error) { return listenAt(dir, port, nil) }

func listenAt(dir string, port transport.Port, guard Guard) (*Listener, error) {
	path := Socket(dir, port)
	if err := unixpath.Check(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if probe(path) == nil {
		return nil, fmt.Errorf("listen: %s is served by another process: choose another name or port", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	socket, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return nil, err
	}
	l, err := newListener()
	if err == nil && guard != nil {
		l.guard = guard
		err = open(path)
	}
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	l.socket = socket
	l.openLedger(dir)
	l.work.Go(l.accept)
	return l, nil
}

// probe connects to a server, and returns nil if there is one.
func probe(path string) error {
	conn, err := net.Dial("unixpacket", path)
	switch {
	case err == nil:
		return conn.Close()
	case errors.Is(err, unix.EAGAIN): // its queue is full
		return nil
	}
	return err
}

func newListener() (*Listener, error) {
	w, err := newWaiter()
	if err != nil {
		return nil, err
	}
	return &Listener{
		w:        w,
		places:   make(chan struct{}, mostChannels),
		refusing: make(chan struct{}, mostRefused),
		shaking:  make(map[*net.UnixConn]struct{}),
		channels: make(map[int32]*endpoint),
	}, nil
}

func (l *Listener) accept() {
	for {
		conn, err := l.socket.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of descriptors until some are closed
			continue
		}
		if v, ok := l.receive(conn); ok {
			l.work.Go(func() { l.welcome(v) }) // the client has the reason
		}
	}
}

// welcome shakes hands and adds the new channel, or returns the reason why not.
func (l *Listener) welcome(v visitor) error {
	ok := false
	defer func() {
		if !ok {
			v.leave(nil)
		}
	}()
	conn := v.conn
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		conn.Close()
		return os.ErrClosed
	}
	l.shaking[conn] = struct{}{}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.shaking, conn)
		l.mu.Unlock()
	}()

	conn.SetDeadline(time.Now().Add(v.patience()))
	ep, memory, err := l.serverEndpoint(v)
	if err != nil {
		status, detail := vlibcall.StatusOf(err)
		answer := append(binary.LittleEndian.AppendUint64(nil, uint64(status)), detail...)
		conn.Write(answer[:min(len(answer), welcomeSize+maxErrorText)])
		conn.Close()
		return err
	}
	defer memory.Close()
	rights := unix.UnixRights(int(memory.Fd()), ep.local.fd, ep.remote.fd)
	ep.freed = func() { v.leave(ep.lent) }
	ok = true
	// The client may call as soon as it has the descriptors.
	if err := l.add(ep); err != nil {
		return errors.Join(err, ep.Close())
	}
	conn.WriteMsgUnix(make([]byte, welcomeSize), rights, nil) // a failure ends watchPeer at once
	conn.SetDeadline(time.Time{})
	ep.watchPeer()
	return nil
}

// serverEndpoint reads the client's request and makes the endpoint.
func (l *Listener) serverEndpoint(v visitor) (_ *endpoint, memory *os.File, err error) {
	hello := make([]byte, payingSize+1)
	n, err := v.conn.Read(hello)
	if err == nil {
		err = v.refusal
	}
	if err != nil {
		return nil, nil, err
	}
	if n != helloSize && n != payingSize {
		return nil, nil, fmt.Errorf("request of %d bytes, want %d, or %d with a reservation", n, helloSize, payingSize)
	}
	revision := binary.LittleEndian.Uint64(hello)
	size := binary.LittleEndian.Uint64(hello[8:])
	generation := binary.LittleEndian.Uint64(hello[16:])
	if revision != uint64(transport.Revision) {
		return nil, nil, fmt.Errorf("%w: channel revision %d, this server speaks %d", vlibcall.ErrBadRequest, revision, transport.Revision)
	}
	if size > MaxSize {
		return nil, nil, fmt.Errorf("%w: %d bytes, this server grants at most %d", vlibcall.ErrTooLarge, size, MaxSize)
	}
	if err := transport.CheckSize(int(size)); err != nil {
		return nil, nil, err
	}
	e := &endpoint{conn: v.conn, peer: v.peer, ledger: l.ledger, leave: func() {}}
	if n == payingSize {
		if e.reservation, err = l.mayPay(binary.LittleEndian.Uint64(hello[helloSize:])); err != nil {
			return nil, nil, err
		}
	}
	if err := v.grow(int(size)); err != nil {
		return nil, nil, err
	}
	if memory, err = v.equip(e, int(size)); err == nil {
		err = transport.Format(e.Header(), int(size), generation)
	}
	if err != nil {
		if memory != nil {
			memory.Close()
		}
		return nil, nil, errors.Join(err, e.release(), e.lent.Close())
	}
	return e, memory, nil
}

func (l *Listener) add(ep *endpoint) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return os.ErrClosed
	}
	for key := l.lastKey + 1; ; key++ {
		if _, taken := l.channels[key]; key > 0 && !taken {
			l.lastKey = key
			break
		}
	}
	key := l.lastKey
	if err := l.w.add(ep.local, key); err != nil {
		return err
	}
	l.channels[key] = ep
	ep.w = l.w
	ep.lost = func() { l.lose(ep) }
	ep.leave = func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.channels, key)
		l.lost = slices.DeleteFunc(l.lost, func(e *endpoint) bool { return e == ep })
		if !l.closed {
			l.w.remove(ep.local)
		}
	}
	return nil
}

// lose makes Wait return an endpoint whose peer is gone.
func (l *Listener) lose(ep *endpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = append(l.lost, ep)
	l.w.nudge()
}

// next is the endpoint for a key of the waiter; nil: it is no longer there.
func (l *Listener) next(key int32) *endpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.channels[key]
}

func (l *Listener) nextLost() (*endpoint, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lost) == 0 {
		return nil, l.never
	}
	ep := l.lost[0]
	l.lost = l.lost[1:]
	return ep, nil
}

// Wait implements transport.Listener.
func (l *Listener) Wait(deadline time.Time) (transport.ServerEndpoint, error) {
	for {
		ep, err := l.nextLost()
		if err != nil {
			return nil, err
		}
		if ep != nil {
			return ep, nil
		}
		key, err := l.w.wait(deadline)
		if err != nil {
			return nil, err
		}
		if ep := l.next(key); ep != nil {
			return ep, nil
		}
	}
}

// Interrupt implements transport.Listener.
func (l *Listener) Interrupt() { l.w.stop() }

// Close implements transport.Listener.
func (l *Listener) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	// Before another server can have the socket: a client that finds that one uses
	// no channel of this one.
	for _, ep := range l.channels {
		ep.depart()
	}
	var errs []error
	if l.socket != nil {
		errs = append(errs, l.socket.Close())
	}
	for conn := range l.shaking {
		conn.Close()
	}
	open := slices.Collect(maps.Values(l.channels))
	l.mu.Unlock()
	l.work.Wait()
	errs = append(errs, l.w.close())
	for _, ep := range open {
		errs = append(errs, ep.Close())
	}
	if l.ledger != nil {
		errs = append(errs, l.ledger.Close())
	}
	return errors.Join(errs...)
}
