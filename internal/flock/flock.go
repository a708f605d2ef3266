// SPDX-License-Identifier: Apache-2.0

// Package flock takes locks that end with their process. A lock is on a file,
// not on its path: it holds on every path and in every namespace in which the
// file is opened.
package flock

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrTaken reports that another process has the lock.
var ErrTaken = errors.New("the lock is taken")

// Take opens a file with flags, as os.OpenFile does, and locks it exclusively
// for this process until the file is closed. With ErrTaken the error names the
// process that has the lock, if the kernel shows it.
func Take(name string, flags int) (*os.File, error) {
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		who := holder(f)
		f.Close()
		if err == unix.EWOULDBLOCK {
			return nil, fmt.Errorf("%w: %s has %s", ErrTaken, who, name)
		}
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return f, nil
}

// holder is the process that has a file's lock, from proc_locks(5).
func holder(f *os.File) string {
	const unknown = "a process that cannot be seen"
	var info unix.Stat_t
	text, err := os.ReadFile("/proc/locks")
	if err != nil || unix.Fstat(int(f.Fd()), &info) != nil {
		return unknown
	}
	id := fmt.Sprintf("%02x:%02x:%d", unix.Major(info.Dev), unix.Minor(info.Dev), info.Ino)
	for line := range strings.Lines(string(text)) {
		// An example: 1: FLOCK ADVISORY WRITE 4711 fd:00:131 0 EOF
		if w := strings.Fields(line); len(w) == 8 && w[1] == "FLOCK" && w[5] == id && w[4] != "0" && w[4] != "-1" {
			return "process " + w[4]
		}
	}
	return unknown
}
