// SPDX-License-Identifier: Apache-2.0

package threads

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host/keeper"
)

// Policies besides SCHED_FIFO, which is its priority.
const (
	background = 0
	ordinary   = -1
)

// Entries of [Threads.has] besides policies: a watched thread may have any, and a thread
// that left is no member any more.
const (
	unknown = -2
	left    = -3
)

// setPolicy makes a thread real-time, background or ordinary, as nice as it was.
func setPolicy(tid, policy int) error {
	switch policy {
	case background:
		return keeper.SetScheduler(tid, unix.SCHED_IDLE, 0)
	case ordinary:
		return keeper.SetScheduler(tid, unix.SCHED_NORMAL, 0)
	}
	return keeper.SetScheduler(tid, unix.SCHED_FIFO|unix.SCHED_RESET_ON_FORK, policy)
}

// ours reports whether a thread's policy is one that only this package gives.
func ours(tid int) bool {
	attr, err := unix.SchedGetAttr(tid, 0)
	return err == nil && (attr.Policy == unix.SCHED_FIFO && attr.Priority <= keeper.Levels || attr.Policy == unix.SCHED_IDLE)
}

// policies are those of threads that were not ordinary. What they fork on a
// reservation is ordinary.
type policies map[int]*unix.SchedAttr

// policiesOf are those that members have. A policy of ours on resumed ones is an earlier
// master's, and not what they had.
func policiesOf(m members, resumed bool) policies {
	had := make(policies)
	all, _ := m.threads() // if they cannot be listed, they have ended
	for _, tid := range all {
		if resumed && ours(tid) {
			continue
		}
		if attr, err := unix.SchedGetAttr(tid, 0); err == nil && attr.Policy != unix.SCHED_NORMAL {
			had[tid] = attr
		}
	}
	return had
}

// giveBack restores threads: those that were not ordinary get their policy, the
// others are ordinary. A thread whose policy the kernel does not allow again,
// such as a deadline, is ordinary.
func (had policies) giveBack(tids []int) error {
	var errs []error
	for _, tid := range tids {
		if !ours(tid) {
			continue
		}
		if attr := had[tid]; attr != nil && unix.SchedSetAttr(tid, attr, 0) == nil {
			continue
		}
		if err := setPolicy(tid, ordinary); err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, fmt.Errorf("thread %d: %w", tid, err))
		}
	}
	return errors.Join(errs...)
}
