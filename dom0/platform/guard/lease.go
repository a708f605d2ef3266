// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// What the guard is told, a line each; a number is a lease in nanoseconds.
const (
	sayLeave = "leave" // nobody renews any more, another process may take over
	sayDone  = "done"  // there is nothing to guard
)

// Lease is the daemon's end. Its methods may be called at the same time.
type Lease struct {
	command []string

	mu    sync.Mutex
	guard *exec.Cmd
	pipe  *os.File
	end   time.Time // not later than by the guard's clock
	note  string
}

// New returns a lease whose guard is that command: it calls [Run].
func New(command []string) *Lease { return &Lease{command: command} }

// Note is something that the guard is to know from the next Renew on: one line.
func (l *Lease) Note(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note = text
}

// Renew begins a lease, or begins it anew; the first starts the guard. It
// reports whether the guard may have undone everything since the last.
func (l *Lease) Renew(d time.Duration) (lost bool, err error) {
	if d <= 0 {
		return false, fmt.Errorf("a lease of %v: it must be more than 0", d)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	lost = !l.end.IsZero() && !now.Before(l.end)
	line := strconv.FormatInt(int64(d), 10) + " " + l.note
	if l.guard != nil && l.say(line) != nil {
		// Somebody has killed it. It may have been the machine, for
		// want of memory, so it is started again.
		l.abandon()
	}
	if l.guard == nil {
		if err = l.start(); err == nil {
			err = l.say(line)
		}
	}
	if err != nil {
		return lost, fmt.Errorf("guard %q: %w", l.command[0], err)
	}
	// The guard may count from a little later, and must not be first.
	l.end = now.Add(d - d/8)
	return lost, nil
}

// Runs reports whether what is done now is undone by the guard alone.
func (l *Lease) Runs() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.guard != nil && time.Now().Before(l.end)
}

// Guard is the number of the guard's process, 0 if there is none.
func (l *Lease) Guard() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.guard == nil {
		return 0
	}
	return l.guard.Process.Pid
}

func (l *Lease) start() error {
	in, out, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command(l.command[0], l.command[1:]...)
	cmd.Stdin, cmd.Stderr = in, os.Stderr
	// What a terminal sends to the daemon is not meant for the guard.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	if closed := in.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return errors.Join(err, out.Close())
	}
	l.guard, l.pipe = cmd, out
	return nil
}

// say fails if the guard is dead, or does not listen.
func (l *Lease) say(line string) error {
	if err := l.pipe.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	_, err := l.pipe.WriteString(line + "\n")
	return err
}

// abandon makes an end of a guard that does not listen. Errors would say that
// it has ended or by which signal, which is known.
func (l *Lease) abandon() {
	_ = l.guard.Process.Kill()
	_ = l.pipe.Close()
	_ = l.guard.Wait()
	l.guard, l.pipe = nil, nil
}

// Leave ends this side. A guard that is still needed is not waited for: it ends
// with the lease.
func (l *Lease) Leave(needed bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.guard == nil {
		return nil
	}
	word := sayDone
	if needed {
		word = sayLeave
	}
	err := errors.Join(l.say(word), l.pipe.Close())
	if needed {
		err = errors.Join(err, l.guard.Process.Release())
	} else {
		err = errors.Join(err, l.guard.Wait())
	}
	l.guard, l.pipe = nil, nil
	return err
}
