// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// Monotonic is CLOCK_MONOTONIC, the same for all processes of a machine.
func Monotonic() time.Duration { return read(unix.CLOCK_MONOTONIC) }

// Thread is the CPU time that the calling thread has used until now. The
// goroutine must be locked to its thread, or the next call may be about another
// one.
func Thread() time.Duration { return read(unix.CLOCK_THREAD_CPUTIME_ID) }

func read(id int32) time.Duration {
	var ts unix.Timespec
	// Both clocks exist on every Linux, and the address is valid.
	_ = unix.ClockGettime(id, &ts)
	return time.Duration(ts.Nano())
}

// Sleep returns after d, or earlier with ctx's error if ctx ends.
func Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// Until sleeps until t, on the clock that [Monotonic] reads. The kernel's timer wakes
// the thread itself, so that Go's timers, which are a millisecond coarse, do not delay it.
func Until(t time.Duration) {
	at := unix.NsecToTimespec(int64(t))
	for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &at, nil) == unix.EINTR {
	}
}

// Every calls f each time that d has passed, until ctx ends. Calls that would come while
// f still runs are left out.
func Every(ctx context.Context, d time.Duration, f func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f()
		}
	}
}
