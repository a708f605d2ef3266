// SPDX-License-Identifier: Apache-2.0

package vlibcall_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
)

// A client whose next request is always in the channel when its last one is
// answered does not keep the other clients out.
func TestBusyClientDoesNotKeepOthersOut(t *testing.T) {
	l := memory.NewListener()
	s := vlibcall.NewServer(l)
	s.Order = vlibcall.InTurn
	greedy, err := l.Dial(t.Context(), transport.Offer{Size: 8192})
	if err != nil {
		t.Fatal(err)
	}
	page := memory.Page(greedy.Header())
	id, others := uint64(1), 0
	page.Attach(2)
	ask := func() {
		names := memory.Names("t", "more")
		page.Ask(int(id-1)%2, id, memory.ShapeOf(uint32(len(names)), 0, memory.FlagNames), names)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s.Handle("t", "more", func(c *vlibcall.Call) error {
		id++
		ask()
		greedy.Notify()
		return nil
	})
	s.Handle("t", "other", func(c *vlibcall.Call) error {
		if others++; others == 3 {
			cancel()
		}
		return nil
	})
	ask()
	greedy.Notify()
	c, err := vlibcall.Open(context.Background(), l, vlibcall.Options{Size: 8192, Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer c.Close()
		for range 3 {
			if _, err := c.Call(context.Background(), "t", "other", nil, nil); err != nil && !errors.Is(err, vlibcall.ErrGone) {
				t.Error(err)
			}
		}
	}()
	if err := s.Serve(ctx); err != nil {
		t.Error(err)
	}
	<-done
	if others < 3 {
		t.Errorf("others were served %d times beside %d of the first, want 3", others, id)
	}
}

func TestSettleDropsALateAnswer(t *testing.T) {
	l := memory.NewListener()
	s := vlibcall.NewServer(l)
	release := make(chan struct{})
	s.Handle("t", "hang", func(*vlibcall.Call) error { <-release; return nil })
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- s.Serve(ctx) }()
	c, err := vlibcall.Open(t.Context(), l, vlibcall.Options{Size: 8192})
	if err != nil {
		t.Fatal(err)
	}
	unanswered := func() bool {
		t.Helper()
		u, err := c.Settle()
		if err != nil {
			t.Error(err)
		}
		return u
	}
	if unanswered() || c.Gone() != nil {
		t.Error("a new channel:", c.Gone())
	}
	short, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if _, err := c.Call(short, "t", "hang", nil, nil); !errors.Is(err, vlibcall.ErrTimeout) || !unanswered() {
		t.Errorf("%v, unanswered: %v", err, unanswered())
	}
	close(release)
	for end := time.Now().Add(10 * time.Second); unanswered() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if unanswered() || c.LateAnswers() != 1 {
		t.Error("the answer came", c.LateAnswers())
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if !errors.Is(c.Gone(), vlibcall.ErrGone) || unanswered() {
		t.Error("after the server's end:", c.Gone())
	}
	c.Close()
	if !errors.Is(c.Gone(), os.ErrClosed) {
		t.Error("after Close:", c.Gone())
	}
}
