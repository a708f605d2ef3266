// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Meter reads the use of one cgroup, even if another has taken its name. One
// goroutine at a time may use it.
type Meter struct {
	file    *os.File
	version int
	buf     [512]byte
}

// Meter opens the meter of the cgroup with a path below the root.
func (t Tree) Meter(path string) (*Meter, error) {
	name := "cpuacct.usage"
	if t.Version == 2 {
		name = "cpu.stat"
	}
	f, err := os.Open(filepath.Join(t.Root, path, name))
	if err != nil {
		return nil, err
	}
	return &Meter{file: f, version: t.Version}, nil
}

// Usage is the CPU time used since the cgroup was created. For running threads
// it includes the time until the kernel's last accounting, at a tick or at a
// preemption. Version 2 counts in microseconds.
func (m *Meter) Usage() (time.Duration, error) {
	n, err := m.file.ReadAt(m.buf[:], 0)
	if n == 0 {
		return 0, err
	}
	d, ok := parseUsage(m.buf[:n], m.version)
	if !ok {
		return 0, fmt.Errorf("%s: %.40q is not a time", m.file.Name(), m.buf[:n])
	}
	return d, nil
}

func parseUsage(text []byte, version int) (time.Duration, bool) {
	unit := time.Nanosecond
	if version == 2 {
		_, text, _ = bytes.Cut(text, []byte("usage_usec "))
		unit = time.Microsecond
	}
	text, _, _ = bytes.Cut(text, []byte("\n"))
	v, err := strconv.ParseInt(string(text), 10, 64)
	return time.Duration(v) * unit, err == nil && v >= 0 && v <= int64(1<<63-1)/int64(unit)
}

// Close frees the meter.
func (m *Meter) Close() error { return m.file.Close() }
