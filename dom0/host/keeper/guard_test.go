// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/testkit"
)

// undone are the calls of undo.
type undone struct{ first, dead bool }

// started runs the state machine; no other has the lock.
func started(t *testing.T) (lines chan string, calls chan undone, ended chan error) {
	t.Helper()
	lock, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	lines, calls, ended = make(chan string), make(chan undone, 100), make(chan error, 1)
	go func() {
		ended <- run(lines, func() {}, func(first, dead bool, _ string) error { calls <- undone{first, dead}; return nil }, lock)
	}()
	return lines, calls, ended
}

func want(t *testing.T, calls chan undone, ended chan error, all ...undone) {
	t.Helper()
	if ended != nil {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	for _, w := range all {
		if got := <-calls; got != w {
			t.Errorf("undo%v, want %v", got, w)
		}
	}
	if n := len(calls); n > 0 && ended != nil {
		t.Errorf("%d calls of undo too many", n)
	}
}

const long, short = "60000000000", "1000000"

func TestGuardUndoesWhenTheLeaseEnds(t *testing.T) {
	t.Run("the daemon dies", func(t *testing.T) {
		lines, calls, ended := started(t)
		lines <- long
		close(lines)
		want(t, calls, ended, undone{true, true})
	})
	t.Run("the lease is over, and over, and another begins", func(t *testing.T) {
		lines, calls, ended := started(t)
		lines <- short
		want(t, calls, nil, undone{true, false}, undone{false, false})
		lines <- short
		want(t, calls, nil, undone{true, false})
		lines <- long
		lines <- sayDone
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Run("the daemon ends and leaves work", func(t *testing.T) {
		lines, calls, ended := started(t)
		lines <- short
		lines <- sayLeave
		close(lines)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		// The lease may have been over before the word came.
		if len(calls) == 0 || !(<-calls).first {
			t.Error("nothing was undone")
		}
	})
	t.Run("nothing is left to do", func(t *testing.T) {
		lines, calls, ended := started(t)
		lines <- long
		lines <- sayDone
		want(t, calls, ended)
	})
	t.Run("nonsense", func(t *testing.T) {
		lines, calls, ended := started(t)
		lines <- "soon"
		if err := <-ended; err == nil {
			t.Error("taken for a lease")
		}
		want(t, calls, nil, undone{true, false})
	})
}

// A process that has taken over has a guard of its own, whose lock says so.
func TestGuardLeavesWhatAnotherHasTakenOver(t *testing.T) {
	name := t.TempDir()
	open := func() *os.File {
		f, err := Share(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	ours := open()
	open()
	for _, words := range [][]string{{"300000000", sayLeave}, {"60000000000"}} {
		lines := make(chan string, len(words))
		for _, w := range words {
			lines <- w
		}
		close(lines)
		if err := run(lines, func() {}, func(bool, bool, string) error { t.Error("undone"); return nil }, ours); err != nil {
			t.Error(err)
		}
	}
}

// TestMain also is a guard, whose undo makes a file.
func TestMain(m *testing.M) {
	if len(os.Args) < 3 || os.Args[1] != "guard" {
		testkit.Main(m)
	}
	lock, err := Share(os.Args[2])
	if err == nil {
		err = Guard(os.Stdin, func(_, _ bool, note string) error {
			return os.WriteFile(filepath.Join(os.Args[2], "undone"), []byte(note), 0o600)
		}, lock)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// leased returns a lease of a real guard, and whether that has undone.
func leased(t *testing.T) (*Lease, func() (note string, undone bool)) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	l := NewLease([]string{self, "guard", dir})
	t.Cleanup(func() {
		if err := l.Leave(false); err != nil {
			t.Error(err)
		}
	})
	return l, func() (string, bool) {
		note, err := os.ReadFile(filepath.Join(dir, "undone"))
		return string(note), err == nil
	}
}

func renew(t *testing.T, l *Lease, d time.Duration, wantLost bool) {
	t.Helper()
	if lost, err := l.Renew(d); lost != wantLost || err != nil || !l.Runs() {
		t.Errorf("lost %v, want %v; %v, runs %v", lost, wantLost, err, l.Runs())
	}
}

// send sends a signal. SIGSTOP is waited for: until each thread has stopped, one of
// them can still answer.
func send(t *testing.T, pid int, s unix.Signal) {
	t.Helper()
	if err := unix.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
	if s == unix.SIGSTOP {
		testkit.Eventually(t, "the guard is stopped", func() bool { return stopped(t, pid) })
	}
}

// stopped reports whether all threads of a process are stopped, see proc(5).
func stopped(t *testing.T, pid int) bool {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("threads of process %d: %v", pid, err)
	}
	return !slices.ContainsFunc(tasks, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && !strings.Contains(string(text), "State:\tT")
	})
}

// The guard has the note of the last renewal when it undoes.
func TestGuardHasTheLastNote(t *testing.T) {
	l, undone := leased(t)
	for _, note := range []string{"one two", "three"} {
		l.Note(note)
		renew(t, l, time.Minute, false)
	}
	if err := l.to.Close(); err != nil { // as when the daemon dies
		t.Fatal(err)
	}
	testkit.Eventually(t, "the guard undoes by its note", func() bool { note, _ := undone(); return note == "three" })
	l.abandon()
}

func TestLeaseIsLostAfterItsEnd(t *testing.T) {
	l, undone := leased(t)
	if l.Runs() || l.Guard() != 0 {
		t.Error("it runs before it was renewed")
	}
	if _, err := l.Renew(0); err == nil {
		t.Error("a lease of 0")
	}
	renew(t, l, time.Minute, false)
	if _, undone := undone(); undone {
		t.Error("undone while the lease runs")
	}
	if _, err := l.Renew(time.Nanosecond); err != nil {
		t.Error(err)
	}
	testkit.Eventually(t, "the guard undoes", func() bool { _, ok := undone(); return ok })
	renew(t, l, time.Minute, true)
	if err := l.Leave(false); err != nil || l.Runs() {
		t.Errorf("%v, runs %v", err, l.Runs())
	}
}

// A guard that is stopped cannot undo anything: another takes its place, which
// does when the daemon is dead.
func TestStoppedGuardIsReplaced(t *testing.T) {
	l, undone := leased(t)
	renew(t, l, time.Minute, false)
	first := l.Guard()
	send(t, first, unix.SIGSTOP)
	renew(t, l, time.Minute, false)
	if l.Guard() == first {
		t.Fatal("the stopped guard is taken for alive")
	}
	if err := unix.Kill(first, 0); err != unix.ESRCH {
		t.Errorf("the stopped guard is left: %v", err)
	}
	if err := l.to.Close(); err != nil { // as when the daemon dies
		t.Fatal(err)
	}
	testkit.Eventually(t, "the guard undoes", func() bool { _, ok := undone(); return ok })
	l.abandon()
}

// Whether the lease runs is known at once, also while a guard is waited for.
func TestLeaseIsAskedWhileAGuardIsWaitedFor(t *testing.T) {
	l, _ := leased(t)
	renew(t, l, time.Minute, false)
	send(t, l.Guard(), unix.SIGSTOP)
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		renew(t, l, time.Minute, false)
	}()
	for asked := 0; ; asked++ {
		select {
		case <-renewed:
			if asked < 1000 {
				t.Errorf("answered %d times meanwhile", asked)
			}
			return
		default:
			l.Runs()
		}
	}
}

// A daemon that ends leaves a guard that works, for as long as the lease.
func TestStoppedGuardIsReplacedAtTheEnd(t *testing.T) {
	l, undone := leased(t)
	renew(t, l, 3*time.Second, false)
	send(t, l.Guard(), unix.SIGSTOP)
	if err := l.Leave(true); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the guard undoes", func() bool { _, ok := undone(); return ok })
}

// Leave does not wait for a guard that is stopped.
func TestLeaveEndsAStoppedGuard(t *testing.T) {
	l, _ := leased(t)
	renew(t, l, time.Minute, false)
	pid := l.Guard()
	send(t, pid, unix.SIGSTOP)
	if err := l.Leave(false); err != nil {
		t.Error(err)
	}
	if err := unix.Kill(pid, 0); err != unix.ESRCH {
		t.Errorf("the stopped guard is left: %v", err)
	}
}

// Leave does not wait for a guard that is stopped after its last answer.
func TestLeaveEndsAGuardThatAnswersAndStops(t *testing.T) {
	answer := "printf . >&0; "
	l := NewLease([]string{"sh", "-c", answer + "read -r line; " + answer + "read -r line; " + answer + "kill -STOP $$"})
	renew(t, l, time.Minute, false)
	if err := l.Leave(false); err != nil || l.Runs() {
		t.Errorf("%v, runs %v", err, l.Runs())
	}
}

// A guard that cannot begin is an error of the lease, which does not run.
func TestGuardThatEndsAtOnceIsAnError(t *testing.T) {
	l := NewLease([]string{"true"})
	if _, err := l.Renew(time.Minute); err == nil || l.Runs() {
		t.Errorf("%v, runs %v", err, l.Runs())
	}
}
