// SPDX-License-Identifier: Apache-2.0

package vlibcall_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
)

// While the server is busy, three clients with two requests each queue up. The order
// in which it then serves them is its policy's.
func TestOrderIsThePolicyOfTheServer(t *testing.T) {
	for order, want := range map[vlibcall.Order][]string{
		vlibcall.FIFO:     {"a0", "a1", "b0", "b1", "c0", "c1"},
		vlibcall.InTurn:   {"a0", "b0", "c0", "a1", "b1", "c1"},
		vlibcall.ByPeriod: {"b0", "b1", "c0", "c1", "a0", "a1"},
	} {
		t.Run(order.String(), func(t *testing.T) {
			if again, err := vlibcall.ParseOrder(order.String()); again != order || err != nil {
				t.Errorf("%v, %v", again, err)
			}
			l := memory.NewListener()
			s := vlibcall.NewServer(l)
			s.Order = order
			began, release := make(chan struct{}), make(chan struct{})
			var served []string
			s.Handle("t", "first", func(*vlibcall.Call) error { close(began); <-release; return nil })
			s.Handle("t", "note", func(c *vlibcall.Call) error { served = append(served, string(c.Input())); return nil })
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error)
			go func() { done <- s.Serve(ctx) }()
			open := func(period time.Duration) (*vlibcall.Channel, *counting) {
				d := &counting{Dialer: l}
				c, err := vlibcall.Open(t.Context(), d, vlibcall.Options{Size: 8192, InFlight: 2, Period: period, Timeout: testkit.Patience})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Close() })
				return c, d
			}
			first, _ := open(0)
			busy := first.Go(t.Context(), "t", "first", nil, nil)
			<-began
			var calls sync.WaitGroup
			for i, period := range []time.Duration{0, time.Millisecond, time.Second} {
				c, d := open(period)
				name := string(rune('a' + i))
				calls.Go(func() {
					if err := c.Batch(t.Context(), []vlibcall.Request{
						{Library: "t", Function: "note", Input: []byte(name + "0")}, {Library: "t", Function: "note", Input: []byte(name + "1")},
					}); err != nil {
						t.Error(err)
					}
				})
				testkit.Eventually(t, "the requests are in the queue", func() bool { return d.toServer.Load() == 1 })
			}
			close(release)
			calls.Wait()
			if _, err := busy.Result(); err != nil {
				t.Error(err)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if !slices.Equal(served, want) {
				t.Errorf("served %v, want %v", served, want)
			}
		})
	}
	if _, err := vlibcall.ParseOrder("lifo"); err == nil {
		t.Error("an order that does not exist")
	}
}

// AtOnce requests are served at the same time, and no more; a channel whose client
// leaves meanwhile is closed when its handlers have returned.
func TestAtOnceLimitsTheHandlers(t *testing.T) {
	l := memory.NewListener()
	s := vlibcall.NewServer(l)
	s.AtOnce = 3
	begun, release := make(chan string, 10), make(chan struct{})
	s.Handle("t", "wait", func(c *vlibcall.Call) error {
		begun <- string(c.Input())
		<-release
		return c.Reply(c.Input()) // the memory is still there
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	open := func() *vlibcall.Channel {
		c, err := vlibcall.Open(t.Context(), l, vlibcall.Options{Size: 8192, InFlight: 4})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	one, two := open(), open()
	var calls []*vlibcall.Pending
	for i := range 2 {
		calls = append(calls, one.Go(t.Context(), "t", "wait", []byte(fmt.Sprint(i)), nil))
	}
	<-begun
	<-begun
	for i := range 3 {
		calls = append(calls, two.Go(t.Context(), "t", "wait", []byte(fmt.Sprint(i)), nil))
	}
	<-begun
	select {
	case <-begun:
		t.Error("a fourth is served")
	case <-calls[0].Done():
		t.Error("one has ended")
	case release <- struct{}{}: // one of three ends, and so the fourth begins
	}
	<-begun
	if err := one.Close(); err != nil {
		t.Error(err)
	}
	close(release)
	for _, c := range calls[2:] {
		if _, err := c.Result(); err != nil {
			t.Error(err)
		}
	}
	if err := two.Close(); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
