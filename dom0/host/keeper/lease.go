// SPDX-License-Identifier: Apache-2.0

package keeper

import (
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

// Lines to the guard; a number is a lease in nanoseconds.
const (
	sayLeave = "leave" // the daemon renews no more, another process may take over
	sayDone  = "done"  // there is nothing to guard
)

const (
	// answerWithin is how long a guard may take to answer. A guard that is
	// stopped or stuck is replaced by another.
	answerWithin = time.Second
	// startWithin is how long the process of a guard may take to begin: it waits
	// for an older guard that is undoing, and a busy machine starts no program sooner.
	startWithin = 30 * time.Second
)

// Lease is the daemon's end. Its methods may be called at the same time.
type Lease struct {
	command []string

	talk  sync.Mutex // locked while the daemon talks to the guard, which may take seconds
	guard *exec.Cmd
	to    *os.File // a socket, the other end of which is the guard's standard input

	mu   sync.Mutex // taken after talk, for moments: a keeper of budgets asks
	pid  int        // of the guard; 0: there is none
	end  time.Time  // not later than by the guard's clock
	note string
}

// NewLease returns a lease whose guard is that command: it calls [Guard] with its
// standard input, which is a socket.
func NewLease(command []string) *Lease { return &Lease{command: command} }

// Note sets one line that the guard is to know from the next Renew on.
func (l *Lease) Note(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note = text
}

// Renew begins a lease, or extends it; the first starts the guard. When it
// returns nil the guard has answered, so the lease is in force. It reports
// whether a guard may have undone everything since the last.
func (l *Lease) Renew(d time.Duration) (lost bool, err error) {
	if d <= 0 {
		return false, fmt.Errorf("a lease of %v: it must be more than 0", d)
	}
	l.talk.Lock()
	defer l.talk.Unlock()
	end := l.ends()
	err = l.renew(d)
	// The guard that had the last lease has now answered, or is dead.
	return !end.IsZero() && !time.Now().Before(end), err
}

// renew renews the lease with the guard. A guard that does not answer was
// killed or stopped, by a user or for want of memory: a new one replaces it.
func (l *Lease) renew(d time.Duration) (err error) {
	for range 2 {
		if l.guard == nil {
			if err = l.start(); err != nil {
				break
			}
		}
		l.mu.Lock()
		line := strconv.FormatInt(int64(d), 10) + " " + l.note
		l.mu.Unlock()
		now := time.Now()
		if err = l.say(line); err == nil {
			// The guard counts from a little later: its lease must not end
			// first.
			l.mu.Lock()
			l.end = now.Add(d - d/8)
			l.mu.Unlock()
			return nil
		}
		l.abandon()
	}
	return fmt.Errorf("guard %q: %w", l.command[0], err)
}

// Runs reports whether a change made now is undone by the guard.
func (l *Lease) Runs() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pid != 0 && time.Now().Before(l.end)
}

func (l *Lease) ends() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// Guard is the number of the guard's process, 0 if there is none.
func (l *Lease) Guard() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pid
}

// has records the guard's process number; 0: none.
func (l *Lease) has(pid int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pid = pid
}

// start starts the guard and waits until it has begun.
func (l *Lease) start() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	// Only a file that does not block has deadlines; the guard's end blocks.
	err = os.NewSyscallError("fcntl", unix.SetNonblock(pair[0], true))
	to, theirs := os.NewFile(uintptr(pair[0]), "guard"), os.NewFile(uintptr(pair[1]), "daemon")
	cmd := exec.Command(l.command[0], l.command[1:]...)
	cmd.Stdin, cmd.Stderr = theirs, os.Stderr
	// A terminal's signals to the daemon are not meant for the guard.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err == nil {
		err = cmd.Start()
	}
	if closed := theirs.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return errors.Join(err, to.Close())
	}
	l.guard, l.to = cmd, to
	l.has(cmd.Process.Pid)
	if err := l.answer(startWithin); err != nil {
		l.abandon()
		return err
	}
	return nil
}

// say tells the guard a line, and waits for its answer.
func (l *Lease) say(line string) error {
	if err := l.to.SetWriteDeadline(time.Now().Add(answerWithin)); err != nil {
		return err
	}
	if _, err := l.to.WriteString(line + "\n"); err != nil {
		return err
	}
	return l.answer(answerWithin)
}

func (l *Lease) answer(within time.Duration) error {
	if err := l.to.SetReadDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	var b [1]byte
	if _, err := l.to.Read(b[:]); err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	return nil
}

// abandon kills a guard that does not answer. Errors would only say that it has
// ended or by which signal, which is known.
func (l *Lease) abandon() {
	l.has(0)
	_ = l.guard.Process.Kill()
	_ = l.guard.Wait()
	_ = l.close()
}

func (l *Lease) close() error {
	err := l.to.Close()
	l.guard, l.to = nil, nil
	l.has(0)
	return err
}

// Leave ends this side. It does not wait for a guard that is still needed: that
// ends with the lease.
func (l *Lease) Leave(needed bool) error {
	l.talk.Lock()
	defer l.talk.Unlock()
	if l.guard == nil {
		return nil
	}
	if !needed {
		// The guard has nothing left to undo: it is killed if it does not end.
		if l.say(sayDone) != nil {
			l.abandon()
			return nil
		}
		guard := l.guard
		kill := time.AfterFunc(answerWithin, func() { _ = guard.Process.Kill() })
		err := guard.Wait()
		if !kill.Stop() {
			err = nil
		}
		return errors.Join(err, l.close())
	}
	err := l.say(sayLeave)
	if err != nil {
		l.abandon()
		if err = l.renew(max(time.Until(l.ends()), time.Nanosecond)); err == nil {
			err = l.say(sayLeave)
		}
	}
	if l.guard == nil {
		return err
	}
	return errors.Join(err, l.guard.Process.Release(), l.close())
}
