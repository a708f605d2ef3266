// SPDX-License-Identifier: Apache-2.0

package native

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/cgroup"
)

const (
	// crowd is how many of a domain's threads are examined. If none of these
	// runs, the domain is taken to sleep, which at worst dates its budgets
	// later.
	crowd = 16
	// seldom is after how many looks a domain with more threads is examined
	// again: the kernel makes the whole list for each look.
	seldom = 64
)

// members are the threads of one cgroup.
type members struct {
	list *os.File
	skip int // looks
	buf  [crowd * len("4194304\n")]byte
	stat [128]byte
}

func openMembers(h hierarchy, name string) (*members, error) {
	f, err := os.Open(filepath.Join(h.dir, name, cgroup.ThreadList(h.version)))
	if err != nil {
		return nil, err
	}
	return &members{list: f}, nil
}

func (m *members) close() error { return m.list.Close() }

// runnable reports whether one of the threads runs, or waits for a CPU. It also
// returns false if that is unknown, such as for threads in cgroups below.
func (m *members) runnable() bool {
	if m.skip > 0 {
		m.skip--
		return false
	}
	n, _ := m.list.ReadAt(m.buf[:], 0) // an error is none to ask
	if n == len(m.buf) {
		m.skip = seldom
	}
	for line := range bytes.Lines(m.buf[:n]) {
		if id, ok := bytes.CutSuffix(line, []byte("\n")); ok && m.runs(id) {
			return true
		}
	}
	return false
}

// runs reads the state of a thread, the first field behind the name, which may
// contain any characters: see proc_pid_stat(5).
func (m *members) runs(id []byte) bool {
	if _, err := strconv.Atoi(string(id)); err != nil {
		return false
	}
	fd, err := unix.Open("/proc/"+string(id)+"/stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false // it has ended
	}
	n, err := unix.Read(fd, m.stat[:])
	_ = unix.Close(fd) // was read only
	if err != nil {
		return false
	}
	stat := m.stat[:n]
	return bytes.HasPrefix(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" R "))
}
