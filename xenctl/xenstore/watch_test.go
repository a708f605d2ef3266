// SPDX-License-Identifier: Apache-2.0

package xenstore

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
)

func TestWatchMergesAndResyncs(t *testing.T) {
	s := daemon(t)
	c := connect(t, s.Path)
	ctx := within(t)
	w, err := c.Watch(ctx, "/w")
	check(t, err)
	_, err = w.Next(ctx)
	check(t, err)

	for range 100 {
		check(t, c.Write(ctx, "/w/same", nil))
	}
	check(t, c.Write(ctx, "/w/last", nil))
	got := map[string]int{}
	for got["/w/last"] == 0 {
		e, err := w.Next(ctx)
		check(t, err)
		got[e.Path]++
	}
	if got["/w/same"] == 0 {
		t.Error("the change was not reported")
	}

	// Events are not read: the connection continues, and the watch reports it.
	for i := range watchQueue + 100 {
		check(t, c.Write(ctx, fmt.Sprintf("/w/%d", i), nil))
	}
	for resync := false; !resync; {
		e, err := w.Next(ctx)
		check(t, err)
		if resync = e.Resync; resync && e.Path != "/w" {
			t.Errorf("event %+v", e)
		}
	}
	check(t, c.Write(ctx, "/w/after", nil))
	for {
		e, err := w.Next(ctx)
		check(t, err)
		if e.Path == "/w/after" {
			break
		}
	}
}

func TestWatchRemembersAsManyPathsAsPromised(t *testing.T) {
	w := &Watch{path: "/w", wake: make(chan struct{}, 1), waiting: map[string]struct{}{}}
	for i := range watchQueue {
		w.add(fmt.Sprint(i))
		w.add(fmt.Sprint(i))
	}
	for i := range watchQueue {
		if e, ok := w.take(); !ok || e.Resync || e.Path != fmt.Sprint(i) {
			t.Fatalf("event %d is %+v, %v", i, e, ok)
		}
	}
	if e, ok := w.take(); ok {
		t.Fatalf("event %+v", e)
	}
	for i := range watchQueue + 5 {
		w.add(fmt.Sprint(i))
	}
	if e, ok := w.take(); !ok || !e.Resync {
		t.Fatalf("event %+v, %v", e, ok)
	}
	if e, ok := w.take(); ok {
		t.Fatalf("event %+v", e)
	}
	w.add("new")
	if e, ok := w.take(); !ok || e.Path != "new" {
		t.Fatalf("event %+v, %v", e, ok)
	}
}

func TestEachEventGoesToOneWaiter(t *testing.T) {
	s := daemon(t)
	c := connect(t, s.Path)
	w, err := c.Watch(within(t), "/w")
	check(t, err)
	var mu sync.Mutex
	got := map[string]bool{}
	var takers sync.WaitGroup
	for range 4 {
		takers.Go(func() {
			for {
				e, err := w.Next(context.Background())
				if err != nil {
					wantError(t, err, os.ErrClosed)
					return
				}
				mu.Lock()
				got[e.Path] = true
				mu.Unlock()
			}
		})
	}
	for i := range 100 {
		check(t, c.Write(within(t), fmt.Sprintf("/w/%d", i), nil))
	}
	testkit.Eventually(t, "all events are taken", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(got) == 101
	})
	check(t, w.Close())
	check(t, w.Close())
	takers.Wait()
	testkit.Eventually(t, "the daemon has no watch", func() bool { _, n := s.Open(); return n == 0 })
}

// Changes that are not wanted wake nothing, and a discarded node goes without a wait.
func TestWatchForReportsWantedChangesOnly(t *testing.T) {
	c := connect(t, daemon(t).Path)
	ctx := within(t)
	var seen []string
	w, err := c.WatchFor(ctx, "/w", func(path string) bool {
		seen = append(seen, path)
		return path == "/w/wanted"
	})
	check(t, err)
	check(t, c.Mkdir(ctx, "/w/other"))
	c.Discard("/w/other")
	check(t, c.Mkdir(ctx, "/w/wanted"))
	if e, err := w.Next(ctx); err != nil || e.Path != "/w/wanted" {
		t.Errorf("event %+v, %v", e, err)
	}
	if want := []string{"/w", "/w/other", "/w/other", "/w/wanted"}; !slices.Equal(seen, want) {
		t.Errorf("asked for %q, want %q", seen, want)
	}
	_, err = c.Read(ctx, "/w/other")
	wantError(t, err, fs.ErrNotExist)
}

// busy is the kernel's device while xenstored does not answer: a write of a request about a
// watch lasts until then.
type busy struct{ over chan struct{} }

func (b busy) Read([]byte) (int, error) {
	<-b.over
	return 0, io.EOF
}

func (b busy) Write([]byte) (int, error) {
	<-b.over
	return 0, io.ErrClosedPipe
}

func (b busy) Close() error {
	close(b.over)
	return nil
}

func TestWatchOnTheDeviceEndsWithItsContext(t *testing.T) {
	c := newClient(busy{make(chan struct{})}, true)
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := c.Watch(ctx, "/w")
		ended <- err
	}()
	testkit.Eventually(t, "the request is taken", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.pending) == 1
	})
	cancel()
	select {
	case err := <-ended:
		wantError(t, err, context.Canceled)
	case <-time.After(testkit.Patience):
		t.Error("the watch waits for xenstored beyond its context")
	}
}

// xenstored ends a connection on which too much is sent.
func TestDiscardOfATooLongPathDoesNothing(t *testing.T) {
	c := connect(t, daemon(t).Path)
	c.Discard("/" + strings.Repeat("x", 5000))
	check(t, c.Mkdir(within(t), "/w"))
}

func TestNextEndsWithItsContext(t *testing.T) {
	w, err := connect(t, daemon(t).Path).Watch(within(t), "/w")
	check(t, err)
	_, err = w.Next(within(t))
	check(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = w.Next(ctx)
	wantError(t, err, context.DeadlineExceeded)
}
