// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/native/ledger"
)

// own puts this process into a cgroup of its own for the time of the test, as
// 'vlibmaster cgroup run' does.
func own(t *testing.T) {
	t.Helper()
	trees, err := cgroup.Trees()
	if err != nil || len(trees) == 0 || os.Geteuid() != 0 {
		t.Skipf("a ledger needs a cgroup of its own: root, and cgroups (%v)", err)
	}
	tree := trees[0]
	was, err := tree.Of(0)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(tree.Root, "vlibos-test-")
	if err != nil {
		t.Skipf("a ledger needs a cgroup of its own: %v", err)
	}
	move := func(to string) {
		if err := os.WriteFile(filepath.Join(to, "cgroup.procs"), []byte("0"), 0); err != nil {
			t.Error(err)
		}
	}
	move(dir)
	t.Cleanup(func() {
		move(filepath.Join(tree.Root, was))
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
}

// serve serves functions over l until the end of the test.
func serve(t *testing.T, l transport.Listener, functions map[string]vlibcall.Handler) {
	t.Helper()
	s := vlibcall.NewServer(l)
	for name, f := range functions {
		s.Handle("t", name, f)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func burn(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}

func TestCallsAreChargedToTheirReservation(t *testing.T) {
	own(t)
	dir := t.TempDir()
	l, err := Listen(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	begun, release := make(chan bool), make(chan bool)
	serve(t, l, map[string]vlibcall.Handler{
		"burn": func(*vlibcall.Call) error { burn(20 * time.Millisecond); return nil },
		"wait": func(*vlibcall.Call) error { begun <- true; <-release; return nil },
	})
	book, err := ledger.OpenBook(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	open := func() (*vlibcall.Channel, error) {
		return vlibcall.Open(t.Context(), Domain(dir), vlibcall.Options{Size: 8192, Reservation: 7})
	}
	if _, err := open(); !errors.Is(err, vlibcall.ErrReservation) || !strings.Contains(err.Error(), "--calls") {
		t.Fatalf("a reservation that may not: %v", err)
	}
	if err := errors.Join(book.Allow(7, true), book.Renew(time.Hour)); err != nil {
		t.Fatal(err)
	}
	c, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	claim := ledger.Claim{Used: map[uint32]time.Duration{7: 0}}
	_, receipt, err := c.CallReceipt(t.Context(), "t", "burn", nil, nil)
	if !book.Read(&claim) || err != nil || receipt.Cost == nil {
		t.Fatalf("%+v, %v", receipt, err)
	}
	// On a busy machine the loop may get only a part of the CPU time.
	if got := receipt.Cost.Foreground; claim.Serving != 0 || claim.Used[7] != got || got < time.Millisecond || got > time.Second {
		t.Errorf("claim %+v, cost %+v", claim, receipt.Cost)
	}

	// An abandoned call is charged to no reservation, while the server is still
	// serving it.
	ctx, cancel := context.WithCancel(t.Context())
	p := c.Go(ctx, "t", "wait", nil, nil)
	<-begun
	if !book.Read(&claim) || claim.Serving != 7 {
		t.Errorf("in a call: %+v", claim)
	}
	cancel()
	if _, err := p.Result(); !errors.Is(err, vlibcall.ErrTimeout) {
		t.Errorf("given up: %v", err)
	}
	free := func(what string) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); claim.Serving != 0; time.Sleep(time.Millisecond) {
			if book.Read(&claim); time.Now().After(end) {
				t.Fatalf("%s, and the reservation still pays: %+v", what, claim)
			}
		}
	}
	free("given up")
	release <- true
	if _, err := c.Call(t.Context(), "t", "burn", nil, nil); err != nil || c.LateAnswers() != 1 {
		t.Errorf("the next call: %v, %d late answers", err, c.LateAnswers())
	}

	// Neither is a call whose caller is gone.
	p = c.Go(t.Context(), "t", "wait", nil, nil)
	<-begun
	if !book.Read(&claim) || claim.Serving != 7 {
		t.Errorf("in a call: %+v", claim)
	}
	go c.Close()
	p.Result()
	free("gone")
	release <- true

	// A reservation that has ended meanwhile is not charged any more.
	c, err = open()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := book.Allow(7, false); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Call(t.Context(), "t", "burn", nil, nil); !errors.Is(err, vlibcall.ErrDenied) {
		t.Errorf("of a reservation that ended: %v", err)
	}
}

// A server in no cgroup of its own says why it can charge no reservation.
func TestServerWithoutACgroupSaysWhy(t *testing.T) {
	if _, _, err := cgroup.Own(); err == nil {
		t.Skip("this process is in a cgroup of its own")
	}
	dir := t.TempDir()
	l, err := Listen(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, nil)
	_, err = vlibcall.Open(t.Context(), Domain(dir), vlibcall.Options{Size: 8192, Reservation: 7})
	if !errors.Is(err, vlibcall.ErrReservation) || !strings.Contains(err.Error(), "cgroup run") {
		t.Errorf("%v", err)
	}
}
