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
)

// pageSize is the size in bytes of the memory in which a job counts.
const pageSize = 4096

// fdWork is the job's file descriptor of that memory.
const fdWork = 3

// Runner is a job's process as the experiment sees it.
type Runner struct {
	kind    kind
	cmd     *exec.Cmd
	to      io.WriteCloser
	memory  []byte
	running bool
}

// start starts the job's process, which waits.
func start(job string, self func(args ...string) *exec.Cmd) (_ *Runner, err error) {
	fd, err := unix.MemfdCreate("vlibos-bench-work", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	file := os.NewFile(uintptr(fd), "work")
	defer file.Close()
	r := &Runner{kind: kinds[job], cmd: self("job", job)}
	if err := file.Truncate(pageSize); err != nil {
		return nil, err
	}
	if r.memory, err = mapWork(fd); err != nil {
		return nil, err
	}
	r.cmd.ExtraFiles = []*os.File{file}
	if r.to, err = r.cmd.StdinPipe(); err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the job %s: %w", job, err), unix.Munmap(r.memory))
	}
	return r, nil
}

func mapWork(fd int) ([]byte, error) {
	memory, err := unix.Mmap(fd, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return memory, nil
}

// counter is the work that the job has done. resting is 1 while it does none.
func counter(memory []byte) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&memory[0])) }
func resting(memory []byte) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&memory[64])) }

// patience limits the time until a job rests, which is that of one piece of
// work under a cap.
const patience = 3 * time.Minute

// run lets the job work, or makes it rest. When run returns, it does so.
func (r *Runner) run(ctx context.Context, on bool) error {
	if on == r.running {
		return nil
	}
	r.running = on
	resting(r.memory).Store(0)
	word := byte('-')
	if on {
		word = '+'
	}
	if _, err := r.to.Write([]byte{word}); err != nil {
		return fmt.Errorf("the job has ended: %w", err)
	}
	if on {
		return nil
	}
	return r.rests(ctx)
}

// rests waits until the job does nothing: it is prepared and was not started,
// or has finished its piece of work.
func (r *Runner) rests(ctx context.Context) error {
	for end := time.Now().Add(patience); resting(r.memory).Load() == 0; {
		if time.Now().After(end) {
			return fmt.Errorf("the job still works after %v", patience)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

func (r *Runner) work() uint64 { return counter(r.memory).Load() }

// close ends the job by closing its standard input.
func (r *Runner) close() error {
	err := r.to.Close()
	return errors.Join(err, r.cmd.Wait(), unix.Munmap(r.memory))
}
