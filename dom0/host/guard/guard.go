// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// again is how often a guard undoes what was done after the lease is over: the
// process that it guards may have been stopped just before it did something.
const again = time.Second

// Undo undoes what the daemon did. First says that it is the first time since
// the lease was over; dead, that the daemon does nothing any more.
type Undo func(first, dead bool) error

// Run is all that a guard's process does: it reads leases from the daemon, a
// line with nanoseconds each, and answers each line once it is in force. If the
// next does not come in time, or the daemon's end is closed, it calls undo. It
// returns when the daemon's end has been closed. It ignores the signals that ask
// a process to end. The lock, which it closes, is one that all guards of the
// same things have by [Share].
func Run(daemon io.ReadWriter, undo Undo, lock *os.File) error {
	return RunNoted(daemon, func(first, dead bool, _ string) error { return undo(first, dead) }, lock)
}

// RunNoted is Run for an undo that is given the last note of the daemon's; see
// Lease.Note.
func RunNoted(daemon io.ReadWriter, undo func(first, dead bool, note string) error, lock *os.File) error {
	// A daemon that dies before it reads an answer must not end its guard.
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGPIPE)
	lines := make(chan string)
	// An error says that the daemon is dead, which lines say, too.
	answer := func() { _, _ = daemon.Write([]byte{answered}) }
	answer()
	var note atomic.Value
	note.Store("")
	go func() {
		defer close(lines)
		s := bufio.NewScanner(daemon)
		s.Buffer(nil, mostNote)
		for s.Scan() {
			line, rest, noted := strings.Cut(s.Text(), " ")
			if noted {
				note.Store(rest)
			}
			lines <- line
		}
	}()
	noted := func(first, dead bool) error { return undo(first, dead, note.Load().(string)) }
	return errors.Join(run(lines, answer, noted, lock), lock.Close())
}

// answered is what the guard says when it has begun, and to each line.
const answered = '.'

// mostNote bounds a line to the guard, in bytes.
const mostNote = 1 << 20

// Share opens a file or folder and shares its lock, LOCK_SH, with all others that
// do. It waits for whoever has it alone: a guard that gives back what a dead
// daemon did. The caller closes it.
func Share(name string) (*os.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); err != nil {
		return nil, errors.Join(fmt.Errorf("lock of %s: %w", name, err), f.Close())
	}
	return f, nil
}

// run is the state machine:
//
//	       lease               time over
//	none ────────→ guarding ───────────────→ over (undoes again and again)
//	                │    ↑       lease         │
//	                │    └─────────────────────┘
//	                ├── stdin ends: undoes, end
//	                ├── leave ──→ leaving ── time over: undoes unless another guards, end
//	                └── done: end
//
// Every line but a malformed one is answered when it has been taken.
func run(lines <-chan string, answer func(), undo Undo, lock *os.File) error {
	timer := time.NewTimer(0)
	<-timer.C
	var running, over, leaving bool
	for {
		select {
		case line, ok := <-lines:
			switch {
			case !ok && leaving && running:
				lines = nil
				continue
			case !ok && leaving:
				return nil
			case !ok:
				return undo(true, true)
			case line == sayDone:
				answer()
				return nil
			case line == sayLeave:
				leaving = true
				answer()
				continue
			}
			d, err := strconv.ParseInt(line, 10, 64)
			if err != nil || d <= 0 {
				return errors.Join(fmt.Errorf("guard: %.40q is no lease in nanoseconds", line), undo(true, false))
			}
			timer.Reset(time.Duration(d))
			running, over = true, false
			answer()
		case <-timer.C:
			running = false
			if leaving {
				if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
					return nil // whoever took over has its own guard
				}
				return undo(true, true)
			}
			if err := undo(!over, false); err != nil {
				fmt.Fprintln(os.Stderr, "vlibos guard:", err) // and tries again
			}
			over = true
			timer.Reset(again)
		}
	}
}
