// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
)

// callTimeout is the timeout of calls that a rogue does not answer.
const callTimeout = 50 * time.Millisecond

// fill makes an eventfd block the process that writes to it, for both sides.
// Nothing else fills it.
func fill(t *testing.T, fd int) {
	full := [8]byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	err := unix.SetNonblock(fd, true)
	if err == nil {
		_, _ = unix.Read(fd, make([]byte, 8)) // it may be empty
		if _, err = unix.Write(fd, full[:]); errors.Is(err, unix.EAGAIN) {
			err = nil // signalled in between
		}
	}
	if err := errors.Join(err, unix.SetNonblock(fd, false)); err != nil {
		t.Error(err)
	}
}

// acts are a rogue's deeds once it is called, in the channel that it offered as
// an honest server would. Each ends when stop is closed.
var acts = map[string]struct {
	act  func(r *rogue, stop <-chan struct{})
	want error // of the first call; nil: any end, as for later calls
}{
	"nothing":    {func(*rogue, <-chan struct{}) {}, vlibcall.ErrTimeout},
	"hangs up":   {func(r *rogue, _ <-chan struct{}) { r.client.CloseWrite() }, vlibcall.ErrGone},
	"talks":      {func(r *rogue, _ <-chan struct{}) { r.client.Write([]byte("hello")) }, vlibcall.ErrGone},
	"sends more": {func(r *rogue, _ <-chan struct{}) { say(r.client, 0, r.events[0], r.events[1]) }, vlibcall.ErrGone},
	"leaves": {func(r *rogue, _ <-chan struct{}) {
		r.page[transport.ServerAlive] = 0
		r.signal()
	}, vlibcall.ErrGone},
	"signals without end": {func(r *rogue, stop <-chan struct{}) {
		for {
			select {
			case <-stop:
				return
			default:
				r.signal()
			}
		}
	}, vlibcall.ErrTimeout},
	"answers no call":      {answering(999, 0), vlibcall.ErrProtocol},
	"answers the next":     {answering(2, 0), vlibcall.ErrProtocol},
	"answers too much":     {answering(1, memory.ShapeOf(1<<31, 0, memory.FlagData)), vlibcall.ErrProtocol},
	"too much in a page":   {answering(1, memory.ShapeOf(transport.NearSize+1, 0, memory.FlagNear)), vlibcall.ErrProtocol},
	"too much in a slot":   {answering(1, memory.ShapeOf(transport.SlotSize+1, 0, 0)), vlibcall.ErrProtocol},
	"answers in two parts": {answering(1, memory.ShapeOf(1, 0, memory.FlagNear|memory.FlagData)), vlibcall.ErrProtocol},
	"an unknown status":    {answering(1, memory.ShapeOf(0, 999, 0)), vlibcall.ErrProtocol},
	"answers twice": {func(r *rogue, _ <-chan struct{}) {
		r.page.Answer(0, 1, 0, "")
		r.page.Answer(0, 2, 0, "")
		r.signal()
	}, vlibcall.ErrProtocol},
	"takes the slot away": {func(r *rogue, _ <-chan struct{}) {
		r.page.Word(memory.Slot(0) + memory.Turn).Store(uint64(transport.TurnOf(1, transport.GivenUp)))
		r.signal()
	}, vlibcall.ErrProtocol},
	"scribbles": {func(r *rogue, stop <-chan struct{}) {
		// The client's data changes between check and use.
		for rnd := rand.New(rand.NewPCG(1, 2)); ; {
			select {
			case <-stop:
				return
			default:
				slot := memory.Slot(0)
				at := []int{slot + memory.Shape, slot + memory.Timeout, slot + memory.Line, memory.ServerWord, memory.Near}[rnd.IntN(5)]
				r.page.Word(at).Store(rnd.Uint64() | 1) // the server has not left
				if id := r.page.Asked(0); id != 0 {
					r.page.Word(slot + memory.Turn).Store(uint64(transport.TurnOf(id, transport.Answered)))
				}
			}
		}
	}, nil},
}

func answering(id, shape uint64) func(*rogue, <-chan struct{}) {
	return func(r *rogue, _ <-chan struct{}) {
		r.page.Answer(0, id, shape, "")
		r.signal()
	}
}

// signal wakes the client. A counter that the rogue itself has filled is not
// waited for.
func (r *rogue) signal() { _, _ = unix.Write(r.events[1], one[:]) }

// called waits for the client's signal.
func (r *rogue) called() {
	p := []unix.PollFd{{Fd: int32(r.events[0]), Events: unix.POLLIN}}
	for {
		if n, err := unix.Poll(p, 20_000); !errors.Is(err, unix.EINTR) {
			if n != 1 || err != nil {
				r.t.Error("the rogue was not called:", err)
			}
			return
		}
	}
}

// Each lie is an error of its kind, in time, and leaves nothing open. Close
// returns whatever the server does.
func TestLiesInACallAreErrors(t *testing.T) {
	for name, a := range acts {
		t.Run(name, func(t *testing.T) {
			offered := make(chan *rogue, 1) // as it is with that client
			r := newRogue(t, func(r *rogue, conn *net.UnixConn, hello []byte) {
				r.offer(conn, hello, honest, r.eventfd(), r.eventfd())
				now := *r
				offered <- &now
			})
			timeout := testkit.Patience
			if a.want == nil || errors.Is(a.want, vlibcall.ErrTimeout) {
				timeout = callTimeout
			}
			converse := func() {
				c, err := vlibcall.Open(t.Context(), Domain(r.dir), vlibcall.Options{Size: rogueSize, Timeout: timeout})
				if err != nil {
					t.Fatal(err)
				}
				now := <-offered
				stop, done := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(done)
					now.called()
					a.act(now, stop)
				}()
				_, err = c.Call(t.Context(), "t", "echo", []byte("x"), nil)
				if a.want != nil && !errors.Is(err, a.want) && name != "answers twice" {
					t.Errorf("%v, want %v", err, a.want)
				}
				for range 100 {
					if _, err = c.Call(t.Context(), "t", "echo", make([]byte, 2000), nil); err != nil {
						break
					}
				}
				if a.want != nil && err == nil {
					t.Errorf("%s: served on", name)
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				close(stop)
				<-done
			}
			converse()
			before := inUse(t)
			for range 3 {
				converse()
			}
			testkit.Eventually(t, "what was received is closed", func() bool {
				now := inUse(t)
				return now.descriptors <= before.descriptors && now.maps <= before.maps
			})
		})
	}
}

// A server that makes the events block the process that signals them, and fills
// them at any moment, costs its caller the timeout of a call, and does not
// delay Close.
func TestFullEventsHoldUpNoCaller(t *testing.T) {
	stop, done := make(chan struct{}), make(chan struct{})
	r := newRogue(t, func(r *rogue, conn *net.UnixConn, hello []byte) {
		r.offer(conn, hello, honest, r.eventfd(), r.eventfd())
		fill(t, r.events[0])
		fill(t, r.events[1])
		go func() {
			defer close(done)
			for { // between a check of the event and its use
				select {
				case <-stop:
					return
				default:
					fill(t, r.events[0])
				}
			}
		}()
	})
	c, err := vlibcall.Open(t.Context(), Domain(r.dir), vlibcall.Options{Size: rogueSize, Timeout: callTimeout})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := c.Call(t.Context(), "t", "echo", nil, nil); !errors.Is(err, vlibcall.ErrTimeout) {
			t.Error(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	close(stop)
	<-done
}

// Others may use all contexts of asynchronous I/O that the machine allows.
func TestSignalsWorkWithoutAsynchronousIO(t *testing.T) {
	had, open := signals.one, signals.open
	signals.one, signals.open = nil, func() (*signaller, error) { return nil, unix.EAGAIN }
	defer func() { signals.one, signals.open = had, open }()
	r := newRogue(t, func(r *rogue, conn *net.UnixConn, hello []byte) {
		full := r.eventfd()
		fill(t, full)
		r.offer(conn, hello, honest, full, r.eventfd())
	})
	c, err := vlibcall.Open(t.Context(), Domain(r.dir), vlibcall.Options{Size: rogueSize, Timeout: callTimeout})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Call(t.Context(), "t", "echo", nil, nil); !errors.Is(err, vlibcall.ErrTimeout) {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	echoes(t, serveGuarded(t, new(door)))
	// The next channel uses asynchronous I/O again.
	signals.open = open
	e, err := newEvent()
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	if e.distrust(); e.safe == nil {
		t.Error("asynchronous I/O is not tried again")
	}
}

// A connection waits for its place in the socket's queue until its deadline.
func TestFullBacklogIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: Socket(dir, 1)})
	}
	if err == nil {
		err = unix.Listen(fd, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var waiting []net.Conn
	for {
		c, err := net.Dial("unixpacket", Socket(dir, 1))
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		waiting = append(waiting, c)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Domain(dir).Dial(short, transport.Offer{Port: 1, Size: 8192}); !errors.Is(err, vlibcall.ErrTimeout) {
		t.Errorf("no server accepts: %v", err)
	}
	// A socket with a full queue is not that of a dead server.
	if l, err := Listen(dir, 1); err == nil {
		l.Close()
		t.Fatal("a second server")
	}
	result := make(chan error)
	go func() {
		_, err := Domain(dir).Dial(t.Context(), transport.Offer{Port: 1, Size: 8192})
		result <- err
	}()
	for range len(waiting) + 1 {
		conn, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(conn) // the last is the one that waited: it hangs up
	}
	if err := <-result; !errors.Is(err, vlibcall.ErrGone) {
		t.Error(err)
	}
}
