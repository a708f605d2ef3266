// SPDX-License-Identifier: Apache-2.0

package threads

import (
	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/platform/loop"
)

// priorities are those of threads with budget: below the keeper's.
const priorities = loop.Priority - 1

// Policies besides SCHED_FIFO, which is its priority.
const (
	background = 0
	ordinary   = -1
)

// setPolicy makes a thread real-time, background or ordinary, as nice as it was.
func setPolicy(tid, policy int) error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr}
	switch policy {
	case background:
		attr.Policy, attr.Nice = unix.SCHED_IDLE, nice(tid)
	case ordinary:
		attr.Policy, attr.Nice = unix.SCHED_NORMAL, nice(tid)
	default:
		attr.Policy, attr.Priority, attr.Flags = unix.SCHED_FIFO, uint32(policy), unix.SCHED_FLAG_RESET_ON_FORK
	}
	return unix.SchedSetAttr(tid, &attr, 0)
}

// nice of a thread, which it keeps while it is real-time.
func nice(tid int) int32 {
	// The system call gives 20 less the niceness.
	v, err := unix.Getpriority(unix.PRIO_PROCESS, tid)
	if err != nil {
		return 0
	}
	return int32(20 - v)
}

// ours reports whether a thread's policy is one that only this package gives.
func ours(tid int) bool {
	attr, err := unix.SchedGetAttr(tid, 0)
	return err == nil && (attr.Policy == unix.SCHED_FIFO && attr.Priority <= priorities || attr.Policy == unix.SCHED_IDLE)
}
