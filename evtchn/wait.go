// SPDX-License-Identifier: Apache-2.0

package evtchn

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// Wait returns the next port that has an event, in order of arrival. It blocks
// until there is one or ctx is done; then the error is ctx's. It starts no
// goroutine to watch ctx. The port stays masked until Unmask.
//
// Wait blocks the thread of the calling goroutine.
func (h *Handle) Wait(ctx context.Context) (Port, error) {
	if ctx.Done() == nil {
		return h.wait(context.Background(), time.Time{})
	}
	stop := context.AfterFunc(ctx, h.wake)
	defer stop()
	return h.wait(ctx, time.Time{})
}

// WaitUntil is Wait with a deadline in place of a context. The zero time waits
// without end; a time in the past returns an event that is there already. When
// the deadline passes the error is [os.ErrDeadlineExceeded]. WaitUntil
// allocates nothing and starts no goroutine.
func (h *Handle) WaitUntil(deadline time.Time) (Port, error) {
	return h.wait(context.Background(), deadline)
}

// Interrupt makes the wait in progress return [ErrInterrupted], or the next one
// if none is in progress. Interrupts are not counted: several before a wait end
// one wait. Events stay queued for the wait after it.
func (h *Handle) Interrupt() {
	h.interrupted.Store(true)
	h.wake()
}

// Clear drops events and interrupts that no wait has returned. It is for a handle
// that gets another use, in which no goroutine waits. Without it the kernel's
// queue would overflow with events that are not taken (EFBIG).
func (h *Handle) Clear() error {
	if !h.waiting.TryLock() {
		return errWaitBusy
	}
	defer h.waiting.Unlock()
	fd, ok := h.acquire()
	if !ok {
		return errWaitClosed
	}
	defer h.release()
	if err := resetPorts(fd); err != nil {
		return opError("clear", err)
	}
	h.head, h.tail = 0, 0
	h.interrupted.Store(false)
	// Its event may be among those dropped; the port would stay masked.
	return opError("clear", writePort(fd, h.wakeRecv))
}

// wait owns the queue. An event of the wake port carries no message itself. Its
// sender has set closing or interrupted, or ended ctx, before it. These are
// checked after every read and after the wake port is unmasked, so that no
// event is lost, and a late one costs one turn of the loop.
func (h *Handle) wait(ctx context.Context, deadline time.Time) (Port, error) {
	if !h.waiting.TryLock() {
		return 0, errWaitBusy
	}
	defer h.waiting.Unlock()
	h.mu.RLock()
	defer h.mu.RUnlock()
	for {
		if h.fd < 0 || h.closing.Load() {
			return 0, errWaitClosed
		}
		if h.interrupted.Load() && h.interrupted.Swap(false) {
			return 0, errWaitInterrupted
		}
		if ctx.Err() != nil {
			return 0, opError("wait", ctx.Err())
		}
		if h.head < h.tail {
			port := h.queue[h.head]
			h.head++
			if port != h.wakeRecv {
				return port, nil
			}
			if err := writePort(h.fd, port); err != nil {
				return 0, opError("wait", err)
			}
			continue
		}
		if err := h.fill(deadline); err != nil {
			return 0, err
		}
	}
}

// fill blocks until the kernel has ports, and takes as many as it can. A signal
// makes it return early with none.
func (h *Handle) fill(deadline time.Time) error {
	if !deadline.IsZero() {
		if now := time.Now(); now.Before(deadline) {
			h.setAlarm(now, deadline)
		} else if err := pollIn(h.fd); err != nil {
			return err
		}
	}
	n, err := readPorts(h.fd, h.queue[:])
	if err != nil && err != unix.EINTR {
		return opError("wait", err)
	}
	h.head, h.tail = 0, n
	return nil
}

// setAlarm ensures that the wake port is rung at the deadline or before. An
// alarm that is set for an earlier time is left as it is, and set again after
// it has rung. So a series of short waits, each with a deadline a second away,
// sets the alarm once a second. A poll with a timeout would need no alarm, but
// would cost each wait a system call and a kernel timer.
func (h *Handle) setAlarm(now, deadline time.Time) {
	if now.Before(h.alarmAt) && !deadline.Before(h.alarmAt) {
		return
	}
	h.alarmAt = deadline
	h.alarm.Reset(deadline.Sub(now))
}
