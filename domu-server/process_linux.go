// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// escapedOutput is how long a process that left its group may keep the pipes of
// its dead parent open before they are closed.
const escapedOutput = 500 * time.Millisecond

// process is a child that leads a process group, which ends with it. Its
// creator must call wait once.
type process struct {
	cmd *exec.Cmd

	mu     sync.Mutex
	reaped bool // the group's number may be in use again
}

// startProcess starts cmd. The child is killed if the server dies: the kernel
// sends the signal when the thread that forked ends, and Go ends a thread only
// if a goroutine returns that has locked it.
func startProcess(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = escapedOutput
	if err := kin.start(cmd); err != nil {
		return nil, err
	}
	return &process{cmd: cmd}, nil
}

// kill kills the whole group without waiting. After wait it does nothing.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		unix.Kill(-p.cmd.Process.Pid, unix.SIGKILL) // fails only if the group is empty
	}
}

// exiting is PF_EXITING of linux/sched.h.
const exiting = 0x4

// dying reports whether the process is ending, or has ended.
func (p *process) dying() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return true
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	// proc_pid_stat(5): behind the name, which may contain anything, the flags are
	// the seventh word.
	words := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if err != nil || len(words) < 7 {
		return false
	}
	flags, err := strconv.ParseUint(string(words[6]), 10, 64)
	return err == nil && flags&exiting != 0
}

// wait blocks until the process has ended, kills the rest of its group and,
// with [Options.Sole], all processes that it started, and returns how it ended.
func (p *process) wait() (syscall.WaitStatus, error) {
	// While the leader is a zombie, its number remains the group's.
	for {
		err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.kill()
	kin.died(p.cmd.Process.Pid)
	p.mu.Lock()
	p.reaped = true
	p.mu.Unlock()
	err := p.cmd.Wait()
	kin.forget(p.cmd.Process.Pid)
	if p.cmd.ProcessState == nil {
		return 0, fmt.Errorf("wait for process %d: %w", p.cmd.Process.Pid, err)
	}
	return p.cmd.ProcessState.Sys().(syscall.WaitStatus), nil
}

// describe says how a process ended, as a part of a sentence.
func describe(s syscall.WaitStatus) string {
	if s.Signaled() {
		return fmt.Sprintf("killed by %s (%v)", unix.SignalName(s.Signal()), s.Signal())
	}
	return fmt.Sprintf("exited with status %d", s.ExitStatus())
}
