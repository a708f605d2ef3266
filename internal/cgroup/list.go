// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ThreadList is the name of the file with the threads of a cgroup.
func ThreadList(version int) string {
	if version == 2 {
		return "cgroup.threads"
	}
	return "tasks"
}

// Processes of one cgroup. A threaded cgroup lists threads alone; the number of
// any thread means its process where processes are moved (Linux, cgroup-v2.rst,
// Threads).
func Processes(dir string) ([]int, error) {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if errors.Is(err, unix.EOPNOTSUPP) {
		text, err = os.ReadFile(filepath.Join(dir, "cgroup.threads"))
	}
	return AppendNumbers(nil, text), err
}

// Threads of one cgroup; unix.EOPNOTSUPP if they are listed where the root of its
// threaded domain is.
func Threads(dir string, version int) ([]int, error) {
	text, err := os.ReadFile(filepath.Join(dir, ThreadList(version)))
	return AppendNumbers(nil, text), err
}

// AppendNumbers appends the numbers of a list, one a line; the last line may
// have been cut off. 0 is a thread of another PID namespace, which cannot be
// named.
func AppendNumbers(all []int, text []byte) []int {
	v := 0
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			v = 10*v + int(c-'0')
		case v > 0:
			all, v = append(all, v), 0
		}
	}
	return all
}
