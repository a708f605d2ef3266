// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

// event is an eventfd. The other side has the same one.
type event struct {
	mu         sync.RWMutex // held for reading while fd is in use
	fd         int          // -1 once closed
	distrusted bool         // of the other side
	safe       *signaller   // signals instead, if there is one
	kick       *iocb        // what it submits
}

func newEvent() (*event, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd2", err)
	}
	return &event{fd: fd}, nil
}

// distrust makes signal non-blocking whatever the other side does. Without a
// signaller the other side can still block a signal, if it makes the event
// blocking in the same moment.
func (e *event) distrust() {
	e.distrusted = true
	if s, err := openSignaller(); err == nil {
		e.safe, e.kick = s, s.request(e.fd)
	}
}

var one = [8]byte{1}

// signal adds one. The counter is never read, because waiters are
// edge-triggered: it would overflow after 2^64 signals.
func (e *event) signal() error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	switch {
	case e.fd < 0:
		return os.ErrClosed
	case e.safe != nil:
		return e.safe.submit(&e.kick)
	case e.distrusted:
		if err := unix.SetNonblock(e.fd, true); err != nil {
			return os.NewSyscallError("fcntl F_SETFL", err)
		}
		if _, err := unix.Write(e.fd, one[:]); err != nil && !errors.Is(err, unix.EAGAIN) { // it was full
			return os.NewSyscallError("write eventfd", err)
		}
		return nil
	}
	// It does not block, so the Go scheduler need not be told.
	if _, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(e.fd), uintptr(unsafe.Pointer(&one)), 8); errno != 0 {
		return os.NewSyscallError("write eventfd", errno)
	}
	return nil
}

// close works for an event that was never made, too.
func (e *event) close() error {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fd < 0 {
		return nil
	}
	err := unix.Close(e.fd)
	e.fd = -1
	return err
}

// waiter sleeps on several events with one system call for each wake-up: the
// epoll entries are edge-triggered, so an event needs no read, and the kernel
// keeps them in the order of their signals.
type waiter struct {
	epoll     int
	wake      *event // of interrupt and close; key 0
	interrupt atomic.Bool
	nudged    atomic.Bool
	closed    atomic.Bool
	waiting   sync.Mutex // held by wait; close takes it before it closes epoll
	got       [1]unix.EpollEvent
}

func newWaiter() (*waiter, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	w := &waiter{epoll: fd}
	if w.wake, err = newEvent(); err == nil {
		err = w.add(w.wake, 0)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return w, nil
}

// add makes wait return key when e is signalled. The caller chooses keys,
// except 0.
func (w *waiter) add(e *event, key int32) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: key}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, e.fd, &ev))
}

// remove must be called before e is closed: the peer has the same eventfd, so
// closing this side's does not remove it from the epoll set.
func (w *waiter) remove(e *event) {
	unix.EpollCtl(w.epoll, unix.EPOLL_CTL_DEL, e.fd, nil)
}

// wait blocks its thread until an event is signalled. It bypasses the Go
// netpoller, which would need two more system calls and a goroutine switch. Key
// 0 is a nudge. Errors are those of transport.ClientEndpoint.Wait.
func (w *waiter) wait(deadline time.Time) (key int32, err error) {
	w.waiting.Lock()
	defer w.waiting.Unlock()
	for {
		if w.closed.Load() {
			return 0, os.ErrClosed
		}
		if w.interrupt.Swap(false) {
			return 0, transport.ErrInterrupted
		}
		if w.nudged.Swap(false) {
			return 0, nil
		}
		timeout := -1
		if !deadline.IsZero() {
			left := max(time.Until(deadline), 0)
			timeout = int(min((left+time.Millisecond-1)/time.Millisecond, 1<<30))
		}
		n, err := unix.EpollWait(w.epoll, w.got[:], timeout)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return 0, fmt.Errorf("epoll_wait: %w", err)
		}
		if n == 1 && w.got[0].Fd != 0 {
			return w.got[0].Fd, nil
		}
		if timeout == 0 && n <= 0 {
			return 0, os.ErrDeadlineExceeded
		}
	}
}

func (w *waiter) stop() {
	w.interrupt.Store(true)
	w.wake.signal() // fails only when closed, and then there is no waiter
}

// nudge makes wait return for something that is not an event.
func (w *waiter) nudge() {
	w.nudged.Store(true)
	w.wake.signal() // as in stop
}

func (w *waiter) close() error {
	if w.closed.Swap(true) {
		return nil
	}
	w.wake.signal()
	w.waiting.Lock()
	defer w.waiting.Unlock()
	return errors.Join(w.wake.close(), unix.Close(w.epoll))
}
