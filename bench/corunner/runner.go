// SPDX-License-Identifier: Apache-2.0

package corunner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/clock"
)

// pageSize is the size in bytes of the memory in which a process counts.
const pageSize = 4096

// fdCounts is the process's file descriptor of that memory.
const fdCounts = 3

// counting is a process that counts in memory that it shares with the experiment, and
// ends with its standard input.
type counting struct {
	cmd    *exec.Cmd
	to     io.WriteCloser
	memory []byte
}

// startCounting starts a process by start.
func startCounting(cmd *exec.Cmd, start func(*exec.Cmd) error) (_ *counting, err error) {
	fd, err := unix.MemfdCreate("vlibos-bench-counts", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	file := os.NewFile(uintptr(fd), "counts")
	defer file.Close()
	c := &counting{cmd: cmd}
	if err := file.Truncate(pageSize); err != nil {
		return nil, err
	}
	if c.memory, err = mapCounts(fd); err != nil {
		return nil, err
	}
	cmd.ExtraFiles = []*os.File{file}
	if c.to, err = cmd.StdinPipe(); err == nil {
		err = start(cmd)
	}
	if err != nil {
		return nil, errors.Join(err, unix.Munmap(c.memory))
	}
	return c, nil
}

func mapCounts(fd int) ([]byte, error) {
	memory, err := unix.Mmap(fd, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return memory, nil
}

// count is the first number in the memory, ready the second.
func count(memory []byte) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&memory[0])) }
func ready(memory []byte) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&memory[64])) }

// close ends the process by closing its standard input.
func (c *counting) close() error {
	err := c.to.Close()
	return errors.Join(err, c.cmd.Wait(), unix.Munmap(c.memory))
}

// Runner is a job's process as the experiment sees it.
type Runner struct {
	*counting
	kind kind
}

// start starts the job's process, which prepares itself and waits.
func start(job string, self func(args ...string) *exec.Cmd) (*Runner, error) {
	c, err := startCounting(self("job", job), (*exec.Cmd).Start)
	if err != nil {
		return nil, fmt.Errorf("start the job %s: %w", job, err)
	}
	return &Runner{c, kinds[job]}, nil
}

// patience limits the time in which a job prepares itself.
const patience = time.Minute

// prepared waits until the job could work.
func (r *Runner) prepared(ctx context.Context) error {
	for end := time.Now().Add(patience); ready(r.memory).Load() == 0; {
		if time.Now().After(end) {
			return fmt.Errorf("the job is not prepared after %v", patience)
		}
		if err := clock.Sleep(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// begin lets the job work, until it ends.
func (r *Runner) begin() error {
	if _, err := r.to.Write([]byte{'+'}); err != nil {
		return fmt.Errorf("the job has ended: %w", err)
	}
	return nil
}

func (r *Runner) work() uint64 { return count(r.memory).Load() }
