// SPDX-License-Identifier: Apache-2.0

// Package conformance tests a transport. Each transport's own tests run it.
package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Listen makes a new vLib OS for a test: its listener, and the dialer that
// reaches it.
type Listen func(t *testing.T) (transport.Listener, transport.Dialer)

// Run checks that a transport carries calls as package vlibcall specifies.
func Run(t *testing.T, listen Listen) {
	for _, tt := range []struct {
		name string
		run  func(*testing.T, Listen)
	}{
		{"EchoOfEverySizeUnderEveryPolicy", testEchoOfEverySizeUnderEveryPolicy},
		{"Verdicts", testVerdicts},
		{"TimeoutAndCancelLeaveTheChannelUsable", testTimeoutAndCancelLeaveTheChannelUsable},
		{"AsyncCallsAreServedInTheirOrder", testAsyncCallsAreServedInTheirOrder},
		{"SessionHoldsTheVLibOSAndResumesWhenIdle", testSessionHoldsTheVLibOSAndResumesWhenIdle},
		{"BatchesOfEverySize", testBatchesOfEverySize},
		{"BatchThatTimesOutLeavesTheChannelUsable", testBatchThatTimesOutLeavesTheChannelUsable},
		{"ManyClients", testManyClients},
		{"CloseEndsCallsThatWait", testCloseEndsCallsThatWait},
		{"ServerThatStops", testServerThatStops},
		{"CallsDoNotAllocate", testCallsDoNotAllocate},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, listen) })
	}
}

// serve runs a server with a few functions until the test ends.
func serve(t *testing.T, listen Listen) transport.Dialer {
	t.Helper()
	l, d := listen(t)
	s := vlibcall.NewServer(l)
	s.Handle("t", "echo", func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
	s.Handle("t", "upper", func(c *vlibcall.Call) error { return c.Reply(bytes.ToUpper(c.Input())) })
	s.Handle("t", "fail", func(*vlibcall.Call) error { return errors.New("no luck\x1b[2J") })
	s.Handle("t", "panic", func(*vlibcall.Call) error { panic("oh") })
	s.Handle("t", "big", func(c *vlibcall.Call) error { _, err := c.Reserve(1 << 20); return err })
	s.Handle("t", "hang", func(c *vlibcall.Call) error {
		<-c.Context(context.Background()).Done()
		return vlibcall.ErrCancelled
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return d
}

func open(t testing.TB, d transport.Dialer, opts vlibcall.Options) *vlibcall.Channel {
	t.Helper()
	c, err := vlibcall.Open(context.Background(), d, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

func testEchoOfEverySizeUnderEveryPolicy(t *testing.T, listen Listen) {
	l := serve(t, listen)
	const size = 64 << 10
	for _, p := range []vlibcall.WaitPolicy{vlibcall.SpinThenBlock, vlibcall.Block, vlibcall.Spin, vlibcall.BlockCPU} {
		c := open(t, l, vlibcall.Options{Size: size, Wait: p})
		most := (size - transport.HeaderSize) / 2
		for _, n := range []int{0, 1, 24, 25, 40, 41, 63, 64, 1280, 1281, 2543, 2544, 2560, 2561, 4096, 30000, most - 64} {
			in := bytes.Repeat([]byte{byte(n), 1, 2}, n/3+1)[:n]
			out, err := c.Call(context.Background(), "t", "echo", in, nil)
			if err != nil || !bytes.Equal(in, out) {
				t.Errorf("%v, %d bytes: %d back, %v", p, n, len(out), err)
			}
		}
	}
}

func testVerdicts(t *testing.T, listen Listen) {
	c := open(t, serve(t, listen), vlibcall.Options{Size: 8192})
	for _, tt := range []struct {
		library, function string
		input             int
		want              error
		text              string
	}{
		{"t", "fail", 0, vlibcall.ErrFailed, "no luck\ufffd[2J"},
		{"t", "panic", 0, vlibcall.ErrCrashed, "handler panicked: oh"},
		{"u", "echo", 0, vlibcall.ErrNoLibrary, "u"},
		{"t", "nope", 0, vlibcall.ErrNoFunction, "nope in t"},
		{"t", "big", 0, vlibcall.ErrTooLarge, "at least 1052672"},
		{"t", "echo", 5000, vlibcall.ErrTooLarge, "(--size) to 12288 or more"},
		{strings.Repeat("x", 256), "f", 0, vlibcall.ErrBadRequest, "at most 255"},
		{"a\x00b", "f", 0, vlibcall.ErrBadRequest, "NUL"},
	} {
		_, err := c.Call(context.Background(), tt.library, tt.function, make([]byte, tt.input), nil)
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s:%s: %v, want %v with %q", tt.library, tt.function, err, tt.want, tt.text)
		}
		if out, err := c.Call(context.Background(), "t", "upper", []byte("a"), nil); string(out) != "A" || err != nil {
			t.Fatalf("the call after it: %q, %v", out, err)
		}
	}
}

func testTimeoutAndCancelLeaveTheChannelUsable(t *testing.T, listen Listen) {
	c := open(t, serve(t, listen), vlibcall.Options{Size: 8192})
	// Long enough to call on a busy machine.
	const soon = 100 * time.Millisecond
	short, stop := context.WithTimeout(context.Background(), soon)
	defer stop()
	if _, err := c.Call(short, "t", "hang", nil, nil); !errors.Is(err, vlibcall.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
	if out, err := c.Call(context.Background(), "t", "upper", []byte("x"), nil); err != nil || string(out) != "X" {
		t.Errorf("next call: %q, %v", out, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := c.Go(ctx, "t", "hang", nil, nil)
	time.AfterFunc(soon, cancel)
	if _, err := p.Result(); !errors.Is(err, vlibcall.ErrTimeout) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancel: %v", err)
	}
	out, err := c.Call(context.Background(), "t", "upper", []byte("x"), nil)
	if err != nil || string(out) != "X" {
		t.Errorf("next call: %q, %v", out, err)
	}
	if n := c.LateAnswers(); n != 2 {
		t.Errorf("late answers dropped: %d, want 2", n)
	}
}

func testAsyncCallsAreServedInTheirOrder(t *testing.T, listen Listen) {
	l, d := listen(t)
	s := vlibcall.NewServer(l)
	var served []string
	s.Handle("t", "note", func(c *vlibcall.Call) error {
		served = append(served, string(c.Input()))
		return nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	c := open(t, d, vlibcall.Options{Size: 8192})
	var want []string
	var called atomic.Int32
	var pending []*vlibcall.Pending
	for i := range 50 {
		want = append(want, strconv.Itoa(i))
		pending = append(pending, c.Go(context.Background(), "t", "note", []byte(want[i]), func(_ []byte, err error) {
			called.Add(1)
			if err != nil {
				t.Error(err)
			}
		}))
	}
	for _, p := range pending {
		<-p.Done()
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !slices.Equal(served, want) {
		t.Errorf("served %v", served)
	}
	if n := called.Load(); n != 50 {
		t.Errorf("%d callbacks, want 50", n)
	}
}

func testSessionHoldsTheVLibOSAndResumesWhenIdle(t *testing.T, listen Listen) {
	l := serve(t, listen)
	c := open(t, l, vlibcall.Options{Size: 8192})
	if _, err := c.Session(context.Background(), "t", "nope"); !errors.Is(err, vlibcall.ErrNoFunction) {
		t.Errorf("session on a function that is not there: %v", err)
	}
	s, err := c.Session(context.Background(), "t", "upper")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		if i == 100 {
			time.Sleep(20 * time.Millisecond) // the server gives up polling
		}
		in := fmt.Appendf(nil, "a%d", i)
		if out, err := s.Call(context.Background(), in, nil); err != nil || string(out) != strings.ToUpper(string(in)) {
			t.Fatalf("call %d: %q, %v", i, out, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Call(context.Background(), nil, nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("call after the end: %v", err)
	}
	if out, err := c.Call(context.Background(), "t", "echo", []byte("x"), nil); err != nil || string(out) != "x" {
		t.Errorf("ordinary call after the session: %q, %v", out, err)
	}
}

func testManyClients(t *testing.T, listen Listen) {
	l := serve(t, listen)
	var wg sync.WaitGroup
	for i := range 8 {
		c := open(t, l, vlibcall.Options{Size: 8192})
		for j := range 3 {
			wg.Go(func() {
				for k := range 200 {
					in := fmt.Sprint(i, j, k)
					out, err := c.Call(context.Background(), "t", "echo", []byte(in), nil)
					if err != nil || string(out) != in {
						t.Errorf("%s: %s, %v", in, out, err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
}

func testCloseEndsCallsThatWait(t *testing.T, listen Listen) {
	l := serve(t, listen)
	c := open(t, l, vlibcall.Options{Size: 8192})
	var pending []*vlibcall.Pending
	for range 3 {
		pending = append(pending, c.Go(context.Background(), "t", "hang", nil, nil))
	}
	time.Sleep(time.Millisecond)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for i, p := range pending {
		if _, err := p.Result(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if _, err := c.Call(context.Background(), "t", "echo", nil, nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if out, err := open(t, l, vlibcall.Options{Size: 8192}).Call(context.Background(), "t", "echo", []byte("x"), nil); string(out) != "x" {
		t.Errorf("another client: %q, %v", out, err)
	}
}

func testServerThatStops(t *testing.T, listen Listen) {
	l, d := listen(t)
	s := vlibcall.NewServer(l)
	s.Handle("t", "hang", func(c *vlibcall.Call) error { time.Sleep(10 * time.Millisecond); return nil })
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error)
	go func() {
		c, err := s.Listen(ctx)
		if err == nil {
			c.Cancelled()
		}
		done <- errors.Join(err, s.Close()) // dies while it serves the call
	}()
	c := open(t, d, vlibcall.Options{Size: 8192})
	if _, err := c.Call(context.Background(), "t", "hang", nil, nil); !errors.Is(err, vlibcall.ErrGone) {
		t.Errorf("call in its hands: %v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := c.Call(context.Background(), "t", "hang", nil, nil); !errors.Is(err, vlibcall.ErrGone) {
		t.Errorf("call after its death: %v", err)
	}
}

func testCallsDoNotAllocate(t *testing.T, listen Listen) {
	c := open(t, serve(t, listen), vlibcall.Options{Size: 8192, InFlight: 16})
	in, out := make([]byte, 64), make([]byte, 0, 64)
	requests := make([]vlibcall.Request, 32)
	for i := range requests {
		requests[i] = vlibcall.Request{Library: "t", Function: "echo", Input: in[:i], Output: make([]byte, 0, 64)}
	}
	session, err := c.Session(context.Background(), "t", "echo")
	if err != nil {
		t.Fatal(err)
	}
	for what, f := range map[string]func() error{
		"a call":         func() error { _, err := c.Call(context.Background(), "t", "echo", in, out); return err },
		"a small call":   func() error { _, err := c.Call(context.Background(), "t", "echo", in[:40], out); return err },
		"a session call": func() error { _, err := session.Call(context.Background(), in, out); return err },
		"a batch":        func() error { return c.Batch(context.Background(), requests) },
	} {
		n := testing.AllocsPerRun(200, func() {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations on both sides, want 0", what, n)
		}
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
}
