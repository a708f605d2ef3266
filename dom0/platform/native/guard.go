// SPDX-License-Identifier: Apache-2.0

package native

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// again is how often a guard opens what is closed after the lease is over: the
// process that it guards may have been stopped just before it closed a gate.
const again = time.Second

// Guard is all that the guard's process does: it reads leases from stdin, a line
// with nanoseconds each, and if the next does not come in time, or stdin ends,
// it opens the gates of all domains below the parent and gives all their
// cgroups the standard weight. It returns when stdin has ended. It ignores the
// signals that ask a process to end.
func Guard(stdin io.Reader, parent string) error {
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	m, err := findMounts()
	if err != nil {
		return err
	}
	hurry()
	lock, err := lockGuards(m, parent)
	if err != nil {
		return err
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(stdin); s.Scan(); {
			lines <- s.Text()
		}
	}()
	err = guard(lines, func(weights bool) error { return open(m, parent, weights) }, lock)
	return errors.Join(err, lock.Close())
}

// guard is the state machine:
//
//	       lease               time over
//	none ────────→ guarding ───────────────→ over (opens again and again)
//	                │    ↑       lease         │
//	                │    └─────────────────────┘
//	                ├── stdin ends: opens, end
//	                ├── leave ──→ leaving ── time over: opens unless another guards, end
//	                └── done: end
func guard(lines <-chan string, open func(weights bool) error, lock *os.File) error {
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
			case !ok && leaving, line == sayDone:
				return nil
			case !ok:
				return open(true)
			case line == sayLeave:
				leaving = true
				continue
			}
			d, err := strconv.ParseInt(line, 10, 64)
			if err != nil || d <= 0 {
				return errors.Join(fmt.Errorf("guard: %.40q is no lease in nanoseconds", line), open(true))
			}
			timer.Reset(time.Duration(d))
			running, over = true, false
		case <-timer.C:
			running = false
			if leaving {
				if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
					return nil // whoever took over has its own guard
				}
				return open(true)
			}
			if err := open(!over); err != nil {
				fmt.Fprintln(os.Stderr, "vlibos guard:", err) // and tries again
			}
			over = true
			timer.Reset(again)
		}
	}
}

// lockGuards shares a lock with all guards of one parent.
func lockGuards(m mounts, parent string) (*os.File, error) {
	for _, root := range m.roots() {
		f, err := os.Open(filepath.Join(root, parent))
		if err != nil {
			continue // not in this hierarchy
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); err != nil {
			return nil, errors.Join(fmt.Errorf("lock of %s: %w", f.Name(), err), f.Close())
		}
		return f, nil
	}
	return nil, fmt.Errorf("guard: no cgroup %q in any hierarchy", parent)
}

// roots are all hierarchies, in an order that is the same in every process.
func (m mounts) roots() []string {
	var all []string
	for _, root := range []string{m.v1["cpu"], m.v1["freezer"], m.v2} {
		if root != "" {
			all = append(all, root)
		}
	}
	return all
}

// open opens every gate below the parent in all hierarchies, and sets all
// weights, the parent's too, to the standard. What is gone needs nothing.
func open(m mounts, parent string, weights bool) error {
	var errs []error
	set := func(file, text string) {
		if err := write(file, text); err != nil && !gone(err) {
			errs = append(errs, explain(err))
		}
	}
	reset := func(dir string) {
		if weights {
			set(filepath.Join(dir, "cpu.idle"), "0")
			set(filepath.Join(dir, "cpu.shares"), strconv.Itoa(standard.v1))
			set(filepath.Join(dir, "cpu.weight"), strconv.Itoa(standard.v2))
		}
	}
	for _, root := range m.roots() {
		dir := filepath.Join(root, parent)
		entries, err := os.ReadDir(dir)
		if gone(err) {
			continue
		}
		if err != nil {
			errs = append(errs, explain(err))
		}
		for _, e := range entries {
			if e.IsDir() {
				child := filepath.Join(dir, e.Name())
				set(filepath.Join(child, "freezer.state"), "THAWED")
				set(filepath.Join(child, "cgroup.freeze"), "0")
				reset(child)
			}
		}
		reset(dir)
		if weights && (root == m.v1["cpu"] || m.v1["cpu"] == "") {
			version := 2
			if root == m.v1["cpu"] {
				version = 1
			}
			if err := setPriority(dir, version, 0); err != nil && !gone(err) {
				errs = append(errs, explain(err))
			}
		}
	}
	return errors.Join(errs...)
}
