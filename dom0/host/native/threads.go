// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/internal/cgroup"
)

// errForking says that threads came faster than they were found.
var errForking = errors.New("its threads multiply faster than they can be told their priority")

// mostRounds bounds how often one looks for threads that came meanwhile.
const mostRounds = 16

// setPriority makes every thread of a cgroup, and of those below it, real-time
// with that priority; with 0 it is an ordinary one again, as nice as it was.
// Threads that they start meanwhile are found, those that they start later
// inherit it. unix.EPERM if there must not be real-time threads there, which is
// so in version 1 if the kernel shares real-time among cgroups.
func setPriority(dir string, version, priority int) error {
	done := make(map[int]bool)
	for range mostRounds {
		news := false
		tids, err := threadsOf(dir, version)
		if err != nil {
			return err
		}
		for _, tid := range tids {
			if done[tid] {
				continue
			}
			done[tid], news = true, true
			policy := unix.SCHED_NORMAL
			if priority > 0 {
				policy = unix.SCHED_FIFO
			}
			if err := keeper.SetScheduler(tid, policy, priority); err != nil && err != unix.ESRCH {
				return err
			}
		}
		if !news {
			return nil
		}
	}
	return fmt.Errorf("%s: %w", dir, errForking)
}

// Threads lists the threads of a domain; host.ErrNoDomain.
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

// threadsOf lists those of a cgroup and of those below it.
func threadsOf(dir string, version int) ([]int, error) {
	file := "tasks"
	if version == 2 {
		file = "cgroup.threads"
	}
	var tids []int
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(path, file))
		if errors.Is(err, unix.EOPNOTSUPP) {
			return nil // a domain of threads: they are listed where its root is
		}
		for word := range strings.FieldsSeq(string(text)) {
			if tid, err := strconv.Atoi(word); err == nil && tid > 0 {
				tids = append(tids, tid)
			}
		}
		return err
	})
	return tids, err
}
