// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/clock"
)

// thread does work that is due, on time, and in between runs functions of
// others.
type thread struct {
	rank
	step func() time.Duration
	fds  []unix.PollFd // what ends a wait: the event, and others' files

	mu     sync.Mutex
	queue  []func()
	closed bool
	event  int // eventfd; not used after closed
	ended  chan struct{}
}

// start starts the thread. In it step does the work that is due and returns the
// time, by [clock.Monotonic], at which more is due; it runs earlier if one of
// the files can be read. The functions passed to Do run between two steps.
func (t *thread) start(step func() time.Duration, files ...int) error {
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	t.step, t.event, t.ended = step, event, make(chan struct{})
	for _, fd := range append([]int{event}, files...) {
		t.fds = append(t.fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	go t.run()
	return nil
}

// stop ends the thread and waits for it. It reports whether this is its first
// call.
func (t *thread) stop() (bool, error) {
	if t.Do(context.Background(), func() { t.mu.Lock(); t.closed = true; t.mu.Unlock() }) != nil {
		return false, nil
	}
	<-t.ended
	err := unix.Close(t.event)
	if t.assistant != nil {
		err = errors.Join(err, t.assistant.close())
	}
	return true, err
}

// Do runs f in the thread and returns afterwards; os.ErrClosed if the thread has
// ended.
func (t *thread) Do(ctx context.Context, f func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done := make(chan struct{})
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return fmt.Errorf("keeping budgets: %w", os.ErrClosed)
	}
	t.queue = append(t.queue, func() { f(); close(done) })
	// The counter cannot be full, which is the only possible error.
	_, _ = unix.Write(t.event, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	t.mu.Unlock()
	<-done
	return nil
}

func (t *thread) run() {
	defer close(t.ended)
	// The thread ends with this goroutine: no other goroutine gets this thread,
	// which has another priority.
	runtime.LockOSThread()
	for t.commands() {
		t.wait(t.step() - clock.Monotonic())
	}
}

// commands runs the functions that were passed to Do, and reports false once
// the thread is to end.
func (t *thread) commands() bool {
	for {
		t.mu.Lock()
		queue, closed := t.queue, t.closed
		t.queue = nil
		t.mu.Unlock()
		for _, f := range queue {
			f()
		}
		if len(queue) == 0 {
			return !closed
		}
	}
}

// wait sleeps for that long, or until there are commands or a file can be read.
func (t *thread) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	timeout := unix.NsecToTimespec(int64(min(d, time.Hour)))
	if n, _ := unix.Ppoll(t.fds, &timeout, nil); n > 0 && t.fds[0].Revents != 0 {
		var b [8]byte
		_, _ = unix.Read(t.event, b[:])
	}
}
