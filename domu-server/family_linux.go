// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// marker is the environment variable by which a process is known to have been
// started, by whatever way, by one of the server's children.
const marker = "VLIBOS_CHILD="

// family are this process's children, of which the kernel keeps one list.
//
// While it adopts, this process is a child subreaper (prctl(2)): what loses its
// parent below it becomes its child, and is killed unless the child that started
// it lives.
type family struct {
	mu       sync.Mutex     // held while a child is started, until it is in started
	started  map[int]string // markers of children; of dead ones not reaped yet ""
	before   map[int]bool   // were children already
	last     int            // number of the latest marker
	adopting bool
}

var kin = family{started: make(map[int]string)}

// start starts a child, which the caller waits for, and calls died when it is
// dead and forget when it has been reaped.
func (f *family) start(cmd *exec.Cmd) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	mark := marker + strconv.Itoa(f.last)
	cmd.Env = append(cmd.Environ(), mark)
	if err := cmd.Start(); err != nil {
		return err
	}
	f.started[cmd.Process.Pid] = mark
	return nil
}

// died ends what a child that is a zombie now has left.
func (f *family) died(pid int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.started[pid] = ""
	f.sweep()
}

func (f *family) forget(pid int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.started, pid)
}

// adopt takes orphans in until release is called.
func (f *family) adopt() (release func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("adopt orphans: %w", err)
	}
	f.before, f.adopting = make(map[int]bool), true
	for _, pid := range f.strangers() {
		f.before[pid] = true
	}
	deaths, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(deaths, unix.SIGCHLD)
	go func() {
		defer close(done)
		for range deaths {
			f.mu.Lock()
			f.sweep()
			f.mu.Unlock()
		}
	}()
	return func() {
		signal.Stop(deaths)
		close(deaths)
		<-done
		f.mu.Lock()
		defer f.mu.Unlock()
		f.sweep()
		f.adopting = false
		unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) // cannot fail: it did not before
	}, nil
}

// strangers are children that were not started here, zombies included.
func (f *family) strangers() (pids []int) {
	files, _ := filepath.Glob("/proc/self/task/*/children")
	for _, file := range files {
		text, _ := os.ReadFile(file) // a thread may have ended
		for word := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(word)
			if _, ours := f.started[pid]; err == nil && !ours && !f.before[pid] {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// Bounds of a sweep: what forks faster than it is killed is left to the next.
const (
	sweeps    = 50
	deathTime = time.Second
)

// sweep kills orphans whose child here has ended, and reaps all that are dead.
func (f *family) sweep() {
	if !f.adopting {
		return
	}
	for range sweeps {
		killed := false
		for _, pid := range f.strangers() {
			if f.reap(pid) || f.belongs(pid) {
				continue
			}
			if unix.Kill(pid, unix.SIGKILL) == nil {
				killed = true
				f.await(pid)
			}
		}
		if !killed {
			return
		}
	}
}

// belongs tells whether a process was started by a child that lives. What hides
// its environment does not.
func (f *family) belongs(pid int) bool {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	for word := range bytes.SplitSeq(text, []byte{0}) {
		if strings.HasPrefix(string(word), marker) {
			for _, mark := range f.started {
				if mark == string(word) {
					return true
				}
			}
		}
	}
	return false
}

// reap takes a zombie away.
func (f *family) reap(pid int) bool {
	got, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
	return err == nil && got == pid
}

// await reaps a process that was killed, if it dies in time.
func (f *family) await(pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == nil {
		defer unix.Close(fd)
		unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(deathTime.Milliseconds()))
	}
	f.reap(pid)
}
