// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/rtsched"
)

// subject has what the test gives it, and notes what is done to it.
type subject struct {
	*SporadicAccount
	used     time.Duration // until the next reading
	readErr  error
	applyErr error
	undoErr  error
	within   time.Duration
	looks    int
	did      []string
}

func newSubject(budget, period time.Duration) *subject {
	return &subject{SporadicAccount: NewAccount(rtsched.Task{ID: 1, Budget: budget, Period: period}, clock.Monotonic())}
}

func (s *subject) Read() (Reading, error) {
	used := s.used
	s.used = 0
	s.looks++
	return Reading{Now: clock.Monotonic(), Used: used, Awake: true}, s.readErr
}

func (s *subject) Apply(st State, reapply bool) (time.Duration, error) {
	if reapply {
		s.did = append(s.did, map[bool]string{true: "foreground", false: "background"}[st.Foreground])
	}
	return s.within, s.applyErr
}

func (s *subject) Restore() error {
	s.did = append(s.did, "restore")
	return s.undoErr
}

func (s *subject) Close(left bool) error {
	s.did = append(s.did, map[bool]string{true: "leave", false: "close"}[left])
	return nil
}

func (s *subject) want(t *testing.T, what string, did ...string) {
	t.Helper()
	if !slices.Equal(s.did, did) {
		t.Errorf("%s: %v, want %v", what, s.did, did)
	}
	s.did = nil
}

func TestEntryIsForegroundWhileItHasBudget(t *testing.T) {
	k, s := New(Options{}), newSubject(10*ms, time.Hour)
	if err := k.Add(1, s, s); err != nil {
		t.Fatal(err)
	}
	e := k.Entry(1)
	if k.Len() != 1 || !e.Foreground() || e.due > clock.Monotonic()+10*ms {
		t.Errorf("foreground %v, due in %v", e.Foreground(), e.due-clock.Monotonic())
	}
	s.want(t, "added", "foreground")
	k.Look(e)
	s.want(t, "as before")
	e.Reapply()
	k.Look(e)
	s.want(t, "undone by another process", "foreground")
	s.used = 12 * ms
	if k.Look(e); e.Foreground() || e.due < clock.Monotonic()+time.Minute {
		t.Errorf("without budget: foreground %v, due in %v", e.Foreground(), e.due-clock.Monotonic())
	}
	s.want(t, "without budget", "background")
	s.within = time.Second
	if k.Look(e); e.due > clock.Monotonic()+time.Second {
		t.Errorf("due in %v, wanted within 1 s", e.due-clock.Monotonic())
	}
	if err := k.Add(1, newSubject(ms, ms), s); !errors.Is(err, host.ErrNotAllowed) {
		t.Errorf("a second one of the number: %v", err)
	}
	if err := k.Drop(e); err != nil || k.Len() != 0 || len(k.order) != 0 {
		t.Errorf("dropped: %v, %d left", err, k.Len())
	}
	s.want(t, "dropped", "restore", "close")
}

// An entry that cannot be read or charged is in background until it can.
func TestEntryThatCannotBeReadIsInBackground(t *testing.T) {
	k, s := New(Options{}), newSubject(10*ms, time.Hour)
	if err := k.Add(1, s, s); err != nil {
		t.Fatal(err)
	}
	e, broken := k.Entry(1), errors.New("broken")
	s.did, s.readErr = nil, broken
	if k.Look(e); e.Err() != broken || e.Foreground() || e.due > clock.Monotonic()+retry {
		t.Errorf("%v, foreground %v", e.Err(), e.Foreground())
	}
	s.want(t, "broken", "background")
	s.readErr = nil
	if k.Look(e); e.Err() != nil || !e.Foreground() {
		t.Errorf("%v, foreground %v", e.Err(), e.Foreground())
	}
	s.want(t, "repaired", "foreground")
}

// The keeper tries to undo its changes until that succeeds.
func TestUndoIsRepeatedUntilItIsDone(t *testing.T) {
	k, s, broken := New(Options{}), newSubject(10*ms, time.Hour), errors.New("broken")
	if err := k.Add(1, s, s); err != nil {
		t.Fatal(err)
	}
	e := k.Entry(1)
	s.undoErr = broken
	if err := k.Drop(e); !errors.Is(err, broken) || k.Entry(1) != e {
		t.Errorf("%v", err)
	}
	s.readErr = ErrGone
	if k.Look(e); k.Entry(1) != e || !errors.Is(e.Err(), broken) {
		t.Errorf("gone: %v", e.Err())
	}
	s.did, s.undoErr = nil, nil
	if k.Look(e); k.Len() != 0 {
		t.Error("it is kept, though it is gone and undone")
	}
	s.want(t, "gone", "restore", "close")
}

func TestEntryThatCannotBeginIsGivenBack(t *testing.T) {
	for _, gone := range []bool{false, true} {
		k, s := New(Options{}), newSubject(10*ms, time.Hour)
		s.applyErr = errors.New("refused")
		if gone {
			s.readErr = ErrGone
		}
		if err := k.Add(1, s, s); err == nil || errors.Is(err, ErrGone) != gone || k.Len() != 0 {
			t.Errorf("%v, %d kept", err, k.Len())
		}
		if n := len(s.did); n < 2 || s.did[n-2] != "restore" || s.did[n-1] != "close" {
			t.Errorf("%v", s.did)
		}
	}
}

// Of those whose budget is found to be gone it is told by how much it was too late.
func TestDepletedTellsTheOverrun(t *testing.T) {
	var over time.Duration
	k, s := New(Options{Depleted: func(_ uint32, by time.Duration) { over += by }}), newSubject(10*ms, time.Hour)
	if err := k.Add(1, s, s); err != nil {
		t.Fatal(err)
	}
	s.used = 13 * ms
	k.Look(k.Entry(1))
	if over != 3*ms {
		t.Errorf("%v too much, want 3 ms", over)
	}
}

// A lost lease has everything applied again, and a keeper that ends leaves it.
func TestLostLeaseIsAppliedAgain(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var renewals []bool
	k := New(Options{
		Guard: []string{self, "guard", dir}, Renewed: func(_ time.Duration, lost bool) error { renewals = append(renewals, lost); return nil },
	})
	if err := k.Start(); err != nil {
		t.Fatal(err)
	}
	s, ctx := newSubject(10*ms, time.Hour), context.Background()
	if err := k.Secure(ctx, 1, "note"); err != nil || !k.Lease().Runs() {
		t.Fatal(err)
	}
	if err := k.Do(ctx, func() { err = k.Add(1, s, s) }); err != nil {
		t.Fatal(err)
	}
	if err := k.Secure(ctx, 1, ""); err != nil { // there is nothing to tell
		t.Error(err)
	}
	if err := k.Renew(time.Nanosecond); err != nil {
		t.Error(err)
	}
	// The next reservation finds it, and the next renewal says it.
	if err := k.Secure(ctx, 2, "another"); err != nil {
		t.Error(err)
	}
	if err := k.Renew(time.Second); !errors.Is(err, host.ErrLease) {
		t.Error(err)
	}
	if u, err := k.Usage(ctx, 1, Any); err != nil || u.Left != 10*ms {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := k.Usage(ctx, 2, Any); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	undone := filepath.Join(dir, "undone")
	if err := os.Remove(undone); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if first, err := k.Close(false); !first || err != nil {
		t.Errorf("%v, %v", first, err)
	}
	testkit.Eventually(t, "the guard undoes", func() bool { _, err := os.Stat(undone); return err == nil })
	if !slices.Equal(renewals, []bool{false, false, true, false}) {
		t.Errorf("renewals, and whether the lease was lost: %v", renewals)
	}
	s.want(t, "added, applied again and left", "foreground", "foreground", "leave")
}

// A thread loses its priority, and a file has the other text, while the keeper is
// late; and all is applied again when it is back.
func TestForegroundEndsWhileTheKeeperIsLate(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: real-time threads are root's")
	}
	k, s := New(Options{Guard: []string{"true"}}), newSubject(time.Minute, time.Hour)
	if err := k.Start(); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "weight"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	stop, tids, ended := make(chan bool), make(chan int), make(chan bool)
	for range 2 {
		go func() {
			runtime.LockOSThread() // the thread ends with the goroutine
			tids <- unix.Gettid()
			<-stop
			ended <- true
		}()
	}
	one, other := <-tids, <-tids
	var late []string
	if err := k.Do(t.Context(), func() {
		if err := errors.Join(k.Realtime(), k.Add(1, s, s), SetScheduler(one, unix.SCHED_FIFO, 1), SetScheduler(other, unix.SCHED_FIFO, 1)); err != nil {
			t.Error(err)
			return
		}
		k.Watch(one, unix.SCHED_NORMAL)
		k.Watch(other, unix.SCHED_NORMAL)
		k.Unwatch(other)
		k.WriteWhenLate(int(file.Fd()), "1")
		k.assistant.expect(clock.Monotonic())
		a := k.assistant.page
		if !testkit.Holds(func() bool { return a.acts.Load() > 0 && a.acting.Load() == 0 }) {
			t.Error("the assistant does nothing")
		}
		late = []string{policyOf(one), policyOf(other)}
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"NORMAL", "FIFO"}; !slices.Equal(late, want) {
		t.Errorf("the threads are %v, want %v", late, want)
	}
	if text, err := os.ReadFile(file.Name()); string(text) != "1" {
		t.Errorf("the file has %q, %v", text, err)
	}
	if err := k.Do(t.Context(), func() {}); err != nil { // after it has been back
		t.Error(err)
	}
	if _, err := k.Close(false); err != nil {
		t.Error(err)
	}
	s.want(t, "added, and applied again", "foreground", "foreground", "leave")
	close(stop)
	<-ended
	<-ended
}
