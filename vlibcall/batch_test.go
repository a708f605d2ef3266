// SPDX-License-Identifier: Apache-2.0

package vlibcall_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
)

// counting counts the events of a client and its server.
type counting struct {
	transport.Dialer
	toServer, toClient atomic.Int32
	page               memory.Page // of the last channel
}

type countingClient struct {
	transport.ClientEndpoint
	c *counting
}

func (c *counting) Dial(ctx context.Context, o transport.Offer) (transport.ClientEndpoint, error) {
	ep, err := c.Dialer.Dial(ctx, o)
	if err == nil {
		c.page = ep.Header()
	}
	return countingClient{ep, c}, err
}

func (e countingClient) Notify() error { e.c.toServer.Add(1); return e.ClientEndpoint.Notify() }

func (e countingClient) Wait(deadline time.Time) error {
	err := e.ClientEndpoint.Wait(deadline)
	if err == nil {
		e.c.toClient.Add(1)
	}
	return err
}

func echoes(n int, function string) []vlibcall.Request {
	requests := make([]vlibcall.Request, n)
	for i := range requests {
		requests[i] = vlibcall.Request{Library: "t", Function: function, Input: []byte(fmt.Sprint(i))}
	}
	return requests
}

// All that fits into the channel is submitted with one notification, and answered
// with one event. The rest follows: it waits in the client's memory.
func TestBatchCostsOneEventEachWay(t *testing.T) {
	for _, tt := range []struct{ inFlight, requests, most int32 }{{16, 16, 1}, {16, 1, 1}, {4, 16, 4}, {1, 4, 4}} {
		d := &counting{Dialer: serving(t)}
		c, err := vlibcall.Open(t.Context(), d, vlibcall.Options{Size: 8192, InFlight: int(tt.inFlight), Wait: vlibcall.Block, Timeout: bound})
		if err != nil {
			t.Fatal(err)
		}
		requests := echoes(int(tt.requests), "echo")
		if err := c.Batch(t.Context(), requests); err != nil {
			t.Error(err)
		}
		for i, r := range requests {
			if string(r.Output) != fmt.Sprint(i) {
				t.Errorf("answer %d is %q, %v", i, r.Output, r.Err)
			}
		}
		if to, from := d.toServer.Load(), d.toClient.Load(); to > tt.most || from > tt.most {
			t.Errorf("%d requests, %d in flight: %d notifications and %d events, want at most %d each", tt.requests, tt.inFlight, to, from, tt.most)
		}
		c.Close()
	}
}

// Each request of a batch has its own verdict, also one that cannot be sent, and the
// batch returns the first error.
func TestEachRequestOfABatchHasItsVerdict(t *testing.T) {
	c, err := vlibcall.Open(t.Context(), serving(t), vlibcall.Options{Size: 8192, InFlight: 4, Timeout: bound})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	requests := []vlibcall.Request{
		{Library: "t", Function: "echo", Input: []byte("a")},
		{Library: "t", Function: "none"},
		{Library: "", Function: "echo"},
		{Library: "t", Function: "echo", Input: make([]byte, 5000)},
		{Library: "u", Function: "echo"},
		{Library: "t", Function: "echo", Input: []byte("b")},
	}
	first := c.Batch(t.Context(), requests)
	want := []error{nil, vlibcall.ErrNoFunction, vlibcall.ErrBadRequest, vlibcall.ErrTooLarge, vlibcall.ErrNoLibrary, nil}
	for i, r := range requests {
		if !errors.Is(r.Err, want[i]) {
			t.Errorf("request %d: %v, want %v", i, r.Err, want[i])
		}
	}
	if first != requests[1].Err || string(requests[0].Output)+string(requests[5].Output) != "ab" {
		t.Errorf("%v, %q, %q", first, requests[0].Output, requests[5].Output)
	}
	if err := c.Batch(t.Context(), nil); err != nil {
		t.Error("no requests:", err)
	}
}

// Requests whose handler returns later do not keep those behind them from their
// answers, and a slot is used again only when its answer has come.
func TestAnswersComeInAnyOrder(t *testing.T) {
	l := memory.NewListener()
	s := vlibcall.NewServer(l)
	s.AtOnce = 4
	release := make(chan struct{})
	s.Handle("t", "slow", func(c *vlibcall.Call) error { <-release; return c.Reply(c.Input()) })
	s.Handle("t", "echo", func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- s.Serve(ctx) }()
	for _, wait := range []vlibcall.WaitPolicy{vlibcall.Block, vlibcall.SpinThenBlock} {
		c, err := vlibcall.Open(t.Context(), l, vlibcall.Options{Size: 8192, InFlight: 4, Wait: wait, Timeout: testkit.Patience})
		if err != nil {
			t.Fatal(err)
		}
		slow := c.Go(t.Context(), "t", "slow", []byte("slow"), nil)
		for i := range 3 { // the fourth is in the slot of the first
			if out, err := c.Call(t.Context(), "t", "echo", []byte{byte(i)}, nil); err != nil || out[0] != byte(i) {
				t.Errorf("%d: %q, %v", i, out, err)
			}
		}
		last := c.Go(t.Context(), "t", "echo", []byte("last"), nil)
		select {
		case <-last.Done():
			t.Error("five requests in four slots")
		case <-slow.Done():
			t.Error("the slow one has ended")
		case release <- struct{}{}:
		}
		for _, p := range []*vlibcall.Pending{slow, last} {
			if out, err := p.Result(); err != nil || !slices.Contains([]string{"slow", "last"}, string(out)) {
				t.Errorf("%q, %v", out, err)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// Callers of one channel share its slots, whichever of them waits for its events.
func TestManyCallersShareTheSlots(t *testing.T) {
	for _, wait := range []vlibcall.WaitPolicy{vlibcall.Block, vlibcall.SpinThenBlock} {
		c, err := vlibcall.Open(t.Context(), serving(t), vlibcall.Options{Size: 8192, InFlight: 4, Wait: wait, Timeout: testkit.Patience})
		if err != nil {
			t.Fatal(err)
		}
		var callers sync.WaitGroup
		for i := range 16 {
			callers.Go(func() {
				for j := range 100 {
					in := fmt.Sprint(i, j, strings.Repeat("x", j*5))
					switch j % 10 {
					case 3: // gives up
						short, stop := context.WithTimeout(t.Context(), time.Duration(j)*time.Microsecond)
						_, err := c.Call(short, "t", "echo", []byte(in), nil)
						if stop(); err != nil && !errors.Is(err, vlibcall.ErrTimeout) {
							t.Error(err)
						}
					case 7:
						requests := echoes(j%7+1, "echo")
						if err := c.Batch(t.Context(), requests); err != nil || string(requests[0].Output) != "0" {
							t.Errorf("%q, %v", requests[0].Output, err)
						}
					default:
						if out, err := c.Call(t.Context(), "t", "echo", []byte(in), nil); err != nil || string(out) != in {
							t.Errorf("%q came back as %q, %v", in, out, err)
						}
					}
				}
			})
		}
		callers.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestCloseEndsTheCallsInTheChannel(t *testing.T) {
	d, hangs, let := stuckServer(t)
	defer close(let)
	c, err := vlibcall.Open(t.Context(), d, vlibcall.Options{Size: 8192, InFlight: 4})
	if err != nil {
		t.Fatal(err)
	}
	var pending []*vlibcall.Pending
	for range 10 {
		pending = append(pending, c.Go(t.Context(), "t", "hang", nil, nil))
	}
	<-hangs
	if err := ends(t, "Close", c.Close); err != nil {
		t.Error(err)
	}
	for i, p := range pending {
		if err := ends(t, "a call", func() error { _, err := p.Result(); return err }); err == nil {
			t.Errorf("call %d has an answer", i)
		}
	}
}

// A function's names are in its first request alone, whatever becomes of it.
func TestNamesTravelOnce(t *testing.T) {
	d := &counting{Dialer: serving(t)}
	c, err := vlibcall.Open(t.Context(), d, vlibcall.Options{Size: 8192, Timeout: bound})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	shape := func() uint64 { return d.page.Word(memory.Slot(0) + memory.Shape).Load() }
	call := func(function, input string) error {
		clear(d.page[memory.Near:])
		copy(d.page[memory.Slot(0)+memory.Line:memory.Slot(0)+transport.Line], make([]byte, transport.SlotSize))
		_, err := c.Call(t.Context(), "t", function, []byte(input), nil)
		return err
	}
	seen := func(name string) bool { return strings.Contains(string(d.page), name) }
	if err := call("sleep", "x"); err != nil || !seen("sleep") {
		t.Errorf("the first call: %v, %#x", err, shape())
	}
	if err := call("sleep", "x"); err != nil || seen("sleep") {
		t.Errorf("the second call: %v, %#x", err, shape())
	}
	// More functions than numbers: the numbers of the oldest are used again.
	for round := range 2 {
		for i := range 300 {
			if err := call(fmt.Sprint("none", i), ""); !errors.Is(err, vlibcall.ErrNoFunction) || !strings.Contains(err.Error(), fmt.Sprint("none", i)) {
				t.Fatalf("round %d, function %d: %v", round, i, err)
			}
		}
	}
	if err := call("sleep", "x"); err != nil || !seen("sleep") {
		t.Errorf("after them: %v", err)
	}
	// Names that do not fit beside the input go ahead of it.
	in := make([]byte, 4096)
	if out, err := c.Call(t.Context(), "t", "echo", in, nil); !errors.Is(err, vlibcall.ErrTooLarge) {
		t.Errorf("an answer that does not fit: %d bytes, %v", len(out), err)
	}
	if _, err := c.Call(t.Context(), "t", "sleep", in, nil); err != nil {
		t.Error(err)
	}
}
