// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/internal/cgroup"
)

// errForking says that threads were started faster than they were found.
var errForking = errors.New("its threads multiply faster than they can be told their priority")

// mostRounds bounds the number of searches for threads started meanwhile.
const mostRounds = 16

// setPriority makes every thread of a cgroup, and of those below it, real-time
// with that priority; with 0 it is an ordinary one again, as nice as it was.
// Threads that they start meanwhile are found; threads started later inherit
// it. The error is unix.EPERM if real-time threads are not allowed there, which
// is so in version 1 if the kernel shares real-time among cgroups.
func setPriority(dir string, version, priority int) error {
	_, err := prioritise(dir, version, priority, func(int) {})
	return err
}

// prioritise is setPriority, and returns the threads. It calls before for each of
// them while that has its earlier policy.
func prioritise(dir string, version, priority int, before func(tid int)) (all []int, err error) {
	done := make(map[int]bool)
	for range mostRounds {
		news := false
		tids, err := threadsOf(dir, version)
		if err != nil {
			return all, err
		}
		for _, tid := range tids {
			if done[tid] {
				continue
			}
			done[tid], news = true, true
			all = append(all, tid)
			policy := unix.SCHED_NORMAL
			if priority > 0 {
				policy = unix.SCHED_FIFO
			}
			before(tid)
			if err := keeper.SetScheduler(tid, policy, priority); err != nil && err != unix.ESRCH {
				return all, err
			}
		}
		if !news {
			return all, nil
		}
	}
	return all, fmt.Errorf("%s: %w", dir, errForking)
}

// Threads lists the threads of a domain. Its error is host.ErrNoDomain if there
// is none.
func (p *Host) Threads(name string) ([]int, error) {
	if err := p.exists(name); err != nil {
		return nil, err
	}
	tids, err := threadsOf(filepath.Join(p.layout.cpu.dir, name), p.layout.cpu.version)
	if cgroup.Gone(err) {
		return nil, fmt.Errorf("domain %q: %w", name, host.ErrNoDomain)
	}
	return tids, err
}

// threadsOf lists the threads of a cgroup and of those below it.
func threadsOf(dir string, version int) ([]int, error) {
	var all []int
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		tids, err := cgroup.Threads(path, version)
		if errors.Is(err, unix.EOPNOTSUPP) {
			return nil // a domain of threads: they are listed where its root is
		}
		all = append(all, tids...)
		return err
	})
	return all, err
}
