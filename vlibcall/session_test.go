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

// stuckServer serves t:hang, which returns when the test lets it, and t:echo.
// It polls a session's channel for longer than a test may take.
func stuckServer(t *testing.T) (_ transport.Dialer, hangs, let chan struct{}) {
	l := memory.NewListener()
	s := vlibcall.NewServer(l)
	s.SessionIdle = time.Hour
	hangs, let = make(chan struct{}, 10), make(chan struct{})
	s.Handle("t", "hang", func(*vlibcall.Call) error {
		select {
		case hangs <- struct{}{}:
		default: // not counted: calls that were given up are served, too
		}
		<-let
		return nil
	})
	s.Handle("t", "echo", func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l, hangs, let
}

// ends waits for something that must end by itself.
func ends(t *testing.T, what string, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(30 * time.Second):
		t.Fatal(what + " does not end")
		return nil
	}
}

// The handler returns only after Close, so that it cannot end Close.
func TestSessionCloseEndsWhileTheServerHangs(t *testing.T) {
	for _, wait := range []vlibcall.WaitPolicy{vlibcall.Block, vlibcall.Spin} {
		for _, given := range []time.Duration{0, 20 * time.Millisecond} { // up, before Close
			d, hangs, let := stuckServer(t)
			c, err := vlibcall.Open(t.Context(), d, vlibcall.Options{Size: 8192, Wait: wait})
			if err != nil {
				t.Fatal(err)
			}
			s, err := c.Session(t.Context(), "t", "hang")
			if err != nil {
				t.Fatal(err)
			}
			result := make(chan error, 1)
			go func() {
				ctx := context.Background()
				if given > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, given)
					defer cancel()
				}
				_, err := s.Call(ctx, nil, nil)
				result <- err
			}()
			<-hangs
			want := os.ErrClosed
			if given > 0 {
				want = vlibcall.ErrTimeout
				if err := <-result; !errors.Is(err, want) {
					t.Error(err)
				}
				result <- want
			}
			if err := ends(t, "Session.Close", s.Close); !errors.Is(err, vlibcall.ErrTimeout) {
				t.Errorf("%v, want that the server does not answer", err)
			}
			if err := <-result; !errors.Is(err, want) {
				t.Errorf("the call: %v, want %v", err, want)
			}
			// The channel can still be used, and the server has ended the
			// session, too: it serves others.
			close(let)
			if out, err := c.Call(t.Context(), "t", "echo", []byte("x"), nil); string(out) != "x" || err != nil {
				t.Errorf("%q, %v", out, err)
			}
			other, err := vlibcall.Open(t.Context(), d, vlibcall.Options{Size: 8192, Timeout: 30 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := other.Call(t.Context(), "t", "echo", nil, nil); err != nil {
				t.Error(err)
			}
			if err := errors.Join(s.Close(), c.Close(), other.Close()); err != nil {
				t.Error(err)
			}
		}
	}
}

// Closing the channel ends a waiting Close of its session.
func TestChannelCloseEndsTheSession(t *testing.T) {
	d, hangs, let := stuckServer(t)
	defer close(let)
	c, err := vlibcall.Open(t.Context(), d, vlibcall.Options{Size: 8192})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Session(t.Context(), "t", "hang")
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		_, err := s.Call(context.Background(), nil, nil)
		result <- err
	}()
	<-hangs
	if err := ends(t, "Channel.Close", c.Close); err != nil {
		t.Error(err)
	}
	if err := <-result; !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if err := ends(t, "Session.Close", s.Close); err != nil {
		t.Error(err)
	}
}
