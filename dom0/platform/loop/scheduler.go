// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Priority of a thread that keeps budgets, among real-time ones.
const Priority = 50

// Levels are the priorities of those that have a budget, from 1: all are below
// the keeper's.
const Levels = Priority - 1

// SetScheduler is sched_setscheduler(2) for one thread, 0 being the calling one:
// unlike sched_setattr it leaves the nice value alone.
func SetScheduler(tid, policy, priority int) error {
	param := [1]int32{int32(priority)}
	_, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, uintptr(tid), uintptr(policy), uintptr(unsafe.Pointer(&param)))
	if errno != 0 {
		return errno
	}
	return nil
}

// Realtime makes the calling thread real-time, so that others do not keep it
// from looking at them; else as nice as it may be. It reports whether it is.
func Realtime() bool {
	if SetScheduler(0, unix.SCHED_FIFO|unix.SCHED_RESET_ON_FORK, Priority) == nil {
		return true
	}
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, -20) // without it, it is late more often
	return false
}
