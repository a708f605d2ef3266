// SPDX-License-Identifier: Apache-2.0

package native

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

// lease is this end of the guard's.
type lease struct {
	command []string

	mu    sync.Mutex
	guard *exec.Cmd
	pipe  *os.File
	end   time.Duration // by this clock, not later than by the guard's
}

// renew reports whether the guard may have opened everything since the last.
func (l *lease) renew(d time.Duration) (lost bool, err error) {
	if d <= 0 {
		return false, fmt.Errorf("a lease of %v: it must be more than 0", d)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := monotonic()
	lost = l.end != 0 && now >= l.end
	line := strconv.FormatInt(int64(d), 10)
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
	l.end = now + d - d/8
	return lost, nil
}

func (l *lease) runs() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.guard != nil && monotonic() < l.end
}

func (l *lease) start() error {
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
func (l *lease) say(line string) error {
	if err := l.pipe.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	_, err := l.pipe.WriteString(line + "\n")
	return err
}

// abandon makes an end of a guard that does not listen. Errors would say that
// it has ended or by which signal, which is known.
func (l *lease) abandon() {
	_ = l.guard.Process.Kill()
	_ = l.pipe.Close()
	_ = l.guard.Wait()
	l.guard, l.pipe = nil, nil
}

// leave ends this side. A guard that is still needed is not waited for: it ends
// with the lease.
func (l *lease) leave(needed bool) error {
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
