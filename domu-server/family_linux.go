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

// marker is an environment variable. A process that has it was started,
// directly or not, by one of the server's children.
const marker = "VLIBOS_CHILD="

// family is this process's children, of which the kernel keeps one list.
//
// While it adopts, this process is a child subreaper (prctl(2)): a descendant
// that loses its parent becomes its child, and is killed unless the child from
// which it descends lives.
type family struct {
	mu       sync.Mutex     // held from the start of a child until it is in started
	started  map[int]string // markers of children; "" once dead and not yet reaped
	before   map[int]bool   // children that existed before
	last     int            // number of the latest marker
	adopting bool
}

var kin = family{started: make(map[int]string)}

// start starts a child. The caller waits for it, calls died when it is dead,
// and calls forget when it has been reaped.
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

// died kills the orphans of a child that is now a zombie.
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

// adopt makes this process adopt orphans until release is called.
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
		unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) // cannot fail: setting it succeeded
	}, nil
}

// strangers are children that were not started here, including zombies.
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

// Limits of a sweep. A process that forks faster than it is killed is left to
// the next one.
const (
	sweeps    = 50
	deathTime = time.Second
)

// sweep kills orphans whose ancestor here has ended, and reaps all dead ones.
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

// belongs reports whether a living child started a process. A process that
// hides its environment belongs to none.
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

// reap reaps a zombie.
func (f *family) reap(pid int) bool {
	got, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
	return err == nil && got == pid
}

// await reaps a killed process, if it dies in time.
func (f *family) await(pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == nil {
		defer unix.Close(fd)
		unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(deathTime.Milliseconds()))
	}
	f.reap(pid)
}
