// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Cores returns the first two CPUs that this process may run on.
func Cores() (client, peer int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, 0, os.NewSyscallError("sched_getaffinity", err)
	}
	var cpus []int
	for cpu := 0; len(cpus) < 2 && cpu < 8*len(set)*8; cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	if len(cpus) < 2 {
		return 0, 0, errors.New("these measurements need two CPUs: two processes that spin on one CPU measure the scheduler")
	}
	return cpus[0], cpus[1], nil
}

// Command returns the command that runs this program with args, which make it
// call [Client] or [Peer].
type Command func(args ...string) *exec.Cmd

// settle prepares a process that was started pinned. On one CPU Go runs with one
// P, which sysmon takes away from a thread that blocks for longer than 20 µs.
// This project's programs always have two.
func settle() { runtime.GOMAXPROCS(2) }

// The files that the two processes share, by their descriptors in the child.
const (
	fdMemory = 3 + iota
	fdToPeer
	fdToClient
)

// shared is the memory and the events of the raw measurements.
type shared struct {
	memory             []byte
	toPeer, toClient   int
	memoryFile         *os.File
	toPeerF, toClientF *os.File
}

func newShared() (*shared, error) {
	fd, err := unix.MemfdCreate("vlibbench", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	s := &shared{memoryFile: os.NewFile(uintptr(fd), "memory")}
	if err := s.memoryFile.Truncate(sharedSize); err != nil {
		return nil, err
	}
	for _, p := range []struct {
		fd   *int
		file **os.File
	}{{&s.toPeer, &s.toPeerF}, {&s.toClient, &s.toClientF}} {
		if *p.fd, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
			return nil, os.NewSyscallError("eventfd", err)
		}
		*p.file = os.NewFile(uintptr(*p.fd), "eventfd")
	}
	return s, s.mapMemory(fd)
}

// inherited returns what a child has from its parent.
func inherited() (*shared, error) {
	s := &shared{toPeer: fdToPeer, toClient: fdToClient}
	return s, s.mapMemory(fdMemory)
}

func (s *shared) files() []*os.File { return []*os.File{s.memoryFile, s.toPeerF, s.toClientF} }

func (s *shared) mapMemory(fd int) (err error) {
	s.memory, err = unix.Mmap(fd, 0, sharedSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map the shared memory: %w", err)
	}
	return nil
}
