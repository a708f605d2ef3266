// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// undone are the calls of undo.
type undone struct{ first, dead bool }

// started runs the state machine; the lock is held by nobody else.
func started(t *testing.T) (lines chan string, calls chan undone, ended chan error) {
	t.Helper()
	lock, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	lines, calls, ended = make(chan string), make(chan undone, 100), make(chan error, 1)
	go func() {
		ended <- run(lines, func(first, dead bool) error { calls <- undone{first, dead}; return nil }, lock)
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

func TestGuard(t *testing.T) {
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

// Who has taken over has a guard of its own, whose lock says so.
func TestTakenOver(t *testing.T) {
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
	lines := make(chan string, 2)
	lines <- "300000000"
	lines <- sayLeave
	close(lines)
	if err := run(lines, func(bool, bool) error { t.Error("undone"); return nil }, ours); err != nil {
		t.Error(err)
	}
}

// TestLease has 'cat' for a guard, which never undoes anything.
func TestLease(t *testing.T) {
	l := New([]string{"cat"})
	if l.Runs() || l.Guard() != 0 {
		t.Error("it runs before it was renewed")
	}
	if _, err := l.Renew(0); err == nil {
		t.Error("a lease of 0")
	}
	if lost, err := l.Renew(time.Minute); lost || err != nil || !l.Runs() || l.Guard() == 0 {
		t.Errorf("lost %v, %v, runs %v", lost, err, l.Runs())
	}
	if _, err := l.Renew(time.Nanosecond); err != nil {
		t.Error(err)
	}
	if lost, err := l.Renew(time.Minute); !lost || err != nil {
		t.Errorf("after its end: lost %v, %v", lost, err)
	}
	if err := l.Leave(false); err != nil || l.Runs() {
		t.Errorf("%v, runs %v", err, l.Runs())
	}
}
