// SPDX-License-Identifier: Apache-2.0

package threads

import (
	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host/loop"
)

// Policies besides SCHED_FIFO, which is its priority.
const (
	background = 0
	ordinary   = -1
)

// setPolicy makes a thread real-time, background or ordinary, as nice as it was.
func setPolicy(tid, policy int) error {
	switch policy {
	case background:
		return loop.SetScheduler(tid, unix.SCHED_IDLE, 0)
	case ordinary:
		return loop.SetScheduler(tid, unix.SCHED_NORMAL, 0)
	}
	return loop.SetScheduler(tid, unix.SCHED_FIFO|unix.SCHED_RESET_ON_FORK, policy)
}

// ours reports whether a thread's policy is one that only this package gives.
func ours(tid int) bool {
	attr, err := unix.SchedGetAttr(tid, 0)
	return err == nil && (attr.Policy == unix.SCHED_FIFO && attr.Priority <= loop.Levels || attr.Policy == unix.SCHED_IDLE)
}

// policies are those of threads that are not ordinary. What they fork on a
// reservation is ordinary.
type policies map[int]*unix.SchedAttr

func policiesOf(m members) policies {
	had := make(policies)
	all, _ := m.threads() // if they cannot be listed, they have ended
	for _, tid := range all {
		if attr, err := unix.SchedGetAttr(tid, 0); err == nil && attr.Policy != unix.SCHED_NORMAL {
			had[tid] = attr
		}
	}
	return had
}
