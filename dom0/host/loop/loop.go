// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/clock"
)

// Loop is the thread.
type Loop struct {
	step func() time.Duration
	fds  []unix.PollFd // what ends a wait: the event, and others' files

	mu     sync.Mutex
	queue  []func()
	closed bool
	event  int // eventfd; not used after closed
	ended  chan struct{}
}

// Start starts one. In it step does what is due and returns when, by [clock.Monotonic],
// more is, or earlier if one of the files can be read; what Do asks for runs
// between two steps.
func Start(step func() time.Duration, files ...int) (*Loop, error) {
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	l := &Loop{step: step, event: event, ended: make(chan struct{})}
	for _, fd := range append([]int{event}, files...) {
		l.fds = append(l.fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	go l.run()
	return l, nil
}

// Stop ends the thread and waits for it. It reports whether it had not before.
func (l *Loop) Stop() (bool, error) {
	if l.Do(context.Background(), func() { l.mu.Lock(); l.closed = true; l.mu.Unlock() }) != nil {
		return false, nil
	}
	<-l.ended
	return true, unix.Close(l.event)
}

// Do has the thread run f, and returns when it has. os.ErrClosed if it will not.
func (l *Loop) Do(ctx context.Context, f func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done := make(chan struct{})
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return fmt.Errorf("keeping budgets: %w", os.ErrClosed)
	}
	l.queue = append(l.queue, func() { f(); close(done) })
	// The counter cannot be full, which is the one error there could be.
	_, _ = unix.Write(l.event, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	l.mu.Unlock()
	<-done
	return nil
}

func (l *Loop) run() {
	defer close(l.ended)
	// The thread ends with this goroutine: what it became, no other is.
	runtime.LockOSThread()
	for l.commands() {
		l.wait(l.step() - clock.Monotonic())
	}
}

// commands runs what others asked for, and reports whether to go on.
func (l *Loop) commands() bool {
	for {
		l.mu.Lock()
		queue, closed := l.queue, l.closed
		l.queue = nil
		l.mu.Unlock()
		for _, f := range queue {
			f()
		}
		if len(queue) == 0 {
			return !closed
		}
	}
}

// wait sleeps for that long, or until there are commands or a file can be read.
func (l *Loop) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	timeout := unix.NsecToTimespec(int64(min(d, time.Hour)))
	if n, _ := unix.Ppoll(l.fds, &timeout, nil); n > 0 && l.fds[0].Revents != 0 {
		var b [8]byte
		_, _ = unix.Read(l.event, b[:])
	}
}
