// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/cpulist"
)

// cpusets keeps the files of domains' CPUs open between two lists of all domains: a
// review reads a thousand of them twice a second, and opening one costs more than
// reading it. The zero value is ready.
type cpusets struct {
	mu    sync.Mutex // from begin to end
	files map[string]*cpuset
	round int
}

// cpuset is one file with its last content.
type cpuset struct {
	fd    int
	text  string
	cpus  []int // not changed: lists share it
	round int   // the last list that had it
}

// begin begins a list, and end ends it: files that it did not have are closed.
func (s *cpusets) begin() {
	s.mu.Lock()
	s.round++
	if s.files == nil {
		s.files = make(map[string]*cpuset)
	}
}

func (s *cpusets) end() {
	defer s.mu.Unlock()
	for name, c := range s.files {
		if c.round != s.round {
			_ = s.drop(name) // was read only
		}
	}
}

func (s *cpusets) drop(name string) error {
	fd := s.files[name].fd
	delete(s.files, name)
	return unix.Close(fd)
}

// read returns the CPUs in a file. The file of a cgroup that was removed cannot be
// read: another that has its name is opened.
func (s *cpusets) read(name string) ([]int, error) {
	var b [256]byte
	c := s.files[name]
	if c == nil {
		fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return cpulist.Read(name) // whose error says it
		}
		c = &cpuset{fd: fd}
		s.files[name] = c
	}
	n, err := unix.Pread(c.fd, b[:], 0)
	if err != nil || n == len(b) {
		_ = s.drop(name) // was read only
		return cpulist.Read(name)
	}
	c.round = s.round
	if string(b[:n]) != c.text || c.cpus == nil {
		text := string(b[:n])
		cpus, err := cpulist.Parse(text)
		if err != nil {
			return nil, err
		}
		c.text, c.cpus = text, cpus
	}
	return c.cpus, nil
}

func (s *cpusets) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for name := range s.files {
		errs = append(errs, s.drop(name))
	}
	return errors.Join(errs...)
}
