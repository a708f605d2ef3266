// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// again is how often a guard undoes the daemon's changes after the lease is
// over: the daemon may have been stopped just before it made one.
const again = time.Second

// Undo undoes the daemon's changes. first says that it is the first time since
// the lease was over; dead, that the daemon makes no more changes and that no
// other has taken over. note is the daemon's last note; see [Lease.Note].
type Undo func(first, dead bool, note string) error

// Guard is all that a guard's process does: it reads leases from the daemon, a
// line with nanoseconds and a note each, and answers each line once it is in
// force. If the next does not come in time, or the daemon's end is closed, it
// calls undo. It returns when the daemon's end has been closed. It ignores the
// signals that ask a process to end. It closes lock, which all guards of the
// same things share by [Share].
func Guard(daemon io.ReadWriter, undo Undo, lock *os.File) error {
	// A daemon that dies before it reads an answer must not end its guard.
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGPIPE)
	hurry()
	lines := make(chan string)
	// An error says that the daemon is dead; the lines say so, too.
	answer := func() { _, _ = daemon.Write([]byte{answered}) }
	answer()
	go func() {
		defer close(lines)
		s := bufio.NewScanner(daemon)
		s.Buffer(nil, mostNote)
		for s.Scan() {
			lines <- s.Text()
		}
	}()
	return errors.Join(run(lines, answer, undo, lock), lock.Close())
}

// answered is the guard's answer when it has begun, and to each line.
const answered = '.'

// mostNote bounds a line to the guard, in bytes.
const mostNote = 1 << 20

// Share opens a file or folder and shares its lock, LOCK_SH, with all other
// users of it. It waits for a process that has the lock alone: a guard that
// undoes the changes of a dead daemon. The caller closes it.
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

// dying is how long a process that is dead may still have its files open.
const dying = time.Second

// alone takes the lock for the caller alone, within that time. It fails if
// another process that has taken over holds the lock, or its guard does; that
// one undoes changes that are not its own.
func alone(lock *os.File, within time.Duration) bool {
	for end := time.Now().Add(within); ; time.Sleep(5 * time.Millisecond) {
		if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			return true
		}
		if !time.Now().Before(end) {
			return false
		}
	}
}

// run is the state machine:
//
//	       lease               time over
//	none ────────→ guarding ───────────────→ over (undoes again and again)
//	                │    ↑       lease         │
//	                │    └─────────────────────┘
//	                ├── stdin ends: undoes unless another guards, end
//	                ├── leave ──→ leaving ── time over: undoes unless another guards, end
//	                └── done: end
//
// Every well-formed line is answered once it is in force.
func run(lines <-chan string, answer func(), undo Undo, lock *os.File) error {
	timer := time.NewTimer(0)
	<-timer.C
	var running, over, leaving bool
	var note string
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
				if !alone(lock, dying) {
					return nil
				}
				return undo(true, true, note)
			case line == sayDone:
				answer()
				return nil
			case line == sayLeave:
				leaving = true
				answer()
				continue
			}
			length, text, _ := strings.Cut(line, " ")
			d, err := strconv.ParseInt(length, 10, 64)
			if err != nil || d <= 0 {
				return errors.Join(fmt.Errorf("guard: %.40q is no lease in nanoseconds", line), undo(true, false, note))
			}
			note = text
			timer.Reset(time.Duration(d))
			running, over = true, false
			answer()
		case <-timer.C:
			running = false
			if leaving {
				if !alone(lock, 0) {
					return nil
				}
				return undo(true, true, note)
			}
			if err := undo(!over, false, note); err != nil {
				fmt.Fprintln(os.Stderr, "vlibos guard:", err) // and tries again
			}
			over = true
			timer.Reset(again)
		}
	}
}
