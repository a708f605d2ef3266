// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// Monotonic is CLOCK_MONOTONIC: one for all processes of a machine.
func Monotonic() time.Duration { return read(unix.CLOCK_MONOTONIC) }

// Thread is the CPU time that the calling thread has used, to this moment. The
// goroutine has locked it, or is another's the next time.
func Thread() time.Duration { return read(unix.CLOCK_THREAD_CPUTIME_ID) }

func read(id int32) time.Duration {
	var ts unix.Timespec
	// Both exist on every Linux and the address is good.
	_ = unix.ClockGettime(id, &ts)
	return time.Duration(ts.Nano())
}

// Sleep returns after d, or before if ctx ends, with its error.
func Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
