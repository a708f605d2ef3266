// SPDX-License-Identifier: Apache-2.0

package vlibcall_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
)

// start runs a server until the test ends.
func start(t *testing.T, s *vlibcall.Server) {
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

// bare is a channel without a client's side: a client that lies writes into it.
func bare(t *testing.T, l *memory.Listener, inFlight uint32) (memory.Page, transport.ClientEndpoint) {
	ep, err := l.Dial(t.Context(), transport.Offer{Port: 1, Size: 8192})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ep.Close() })
	page := memory.Page(ep.Header())
	page.Attach(inFlight)
	return page, ep
}

func ask(page memory.Page, slot int, number uint64, function string) {
	text := memory.Names("t", function)
	page.Ask(slot, number, memory.ShapeOf(uint32(len(text)), 0, memory.FlagNames), text)
}

// A client that asks the next request of a slot before it has the answer to the last
// one does not change the request that a handler is serving.
func TestRequestThatIsServedKeepsItsSlot(t *testing.T) {
	l := memory.NewListener()
	s := vlibcall.NewServer(l)
	s.AtOnce = 2
	begun, release := make(chan struct{}), make(chan struct{})
	var function atomic.Value
	s.Handle("t", "slow", func(c *vlibcall.Call) error {
		close(begun)
		<-release
		function.Store(c.Function())
		return c.Reply([]byte("slow"))
	})
	s.Handle("t", "echo", func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
	start(t, s)
	page, ep := bare(t, l, 1)
	ask(page, 0, 1, "slow")
	ep.Notify()
	<-begun
	ask(page, 0, 2, "echo")
	ep.Notify()
	honest(t, l) // the server has looked
	if page.Asked(0) != 2 {
		t.Error("two requests of one slot are served at the same time")
	}
	close(release)
	testkit.Eventually(t, "the first is answered", func() bool { return page.Asked(0) == 0 })
	if got := function.Load(); got != "slow" {
		t.Errorf("its handler served %q", got)
	}
	if line := page[memory.Slot(0)+memory.Line:]; !strings.HasPrefix(string(line), "slow") {
		t.Errorf("its answer is %.8q", line)
	}
}

// A client that has every place gets no further one while another client waits.
func TestFreePlaceGoesToTheClientWithTheFewest(t *testing.T) {
	l := memory.NewListener()
	s := vlibcall.NewServer(l)
	s.AtOnce = 2
	begun, release := make(chan string, 8), make(chan struct{})
	s.Handle("t", "slow", func(*vlibcall.Call) error { begun <- "slow"; <-release; return nil })
	s.Handle("t", "other", func(*vlibcall.Call) error { begun <- "other"; return nil })
	greedy, first := bare(t, l, 4)
	other, second := bare(t, l, 1)
	for i := range 4 {
		ask(greedy, i, uint64(i+1), "slow")
	}
	first.Notify()
	start(t, s)
	for range 2 {
		if got := <-begun; got != "slow" {
			t.Fatal(got)
		}
	}
	ask(other, 0, 1, "other")
	second.Notify()
	release <- struct{}{}
	if got := <-begun; got != "other" {
		t.Error("the client that has a place got the free one")
	}
	close(release)
	testkit.Eventually(t, "all are served", func() bool {
		for i := range 4 {
			if greedy.Asked(i) != 0 {
				return false
			}
		}
		return other.Asked(0) == 0
	})
}

// guarded notes when an endpoint of the server is closed.
type guarded struct {
	*memory.Listener
	ends map[transport.ServerEndpoint]*guardedEnd
	last atomic.Pointer[guardedEnd]
}

type guardedEnd struct {
	transport.ServerEndpoint
	closed atomic.Bool
}

func (e *guardedEnd) Close() error { e.closed.Store(true); return e.ServerEndpoint.Close() }

func (l *guarded) Wait(deadline time.Time) (transport.ServerEndpoint, error) {
	ep, err := l.Listener.Wait(deadline)
	if err != nil {
		return nil, err
	}
	if l.ends[ep] == nil {
		l.ends[ep] = &guardedEnd{ServerEndpoint: ep}
		l.last.Store(l.ends[ep])
	}
	return l.ends[ep], nil
}

// A client that has left and signals once more does not make the server free the
// memory that a handler uses.
func TestMemoryStaysUntilItsHandlersReturn(t *testing.T) {
	l := &guarded{Listener: memory.NewListener(), ends: make(map[transport.ServerEndpoint]*guardedEnd)}
	s := vlibcall.NewServer(l)
	s.AtOnce = 2
	begun, release := make(chan struct{}), make(chan struct{})
	s.Handle("t", "slow", func(c *vlibcall.Call) error { close(begun); <-release; return nil })
	s.Handle("t", "echo", func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
	start(t, s)
	page, ep := bare(t, l.Listener, 1)
	ask(page, 0, 1, "slow")
	ep.Notify()
	<-begun
	end := l.last.Load()
	ep.Close()
	for range 3 {
		honest(t, l.Listener) // the server has looked
		ep.Notify()
	}
	honest(t, l.Listener)
	if end.closed.Load() {
		t.Error("its memory is freed while it is served")
	}
	close(release)
	testkit.Eventually(t, "its memory is freed", end.closed.Load)
}

// restless is a listener with a channel that is always signalled.
type restless struct {
	*memory.Listener
	endless transport.ServerEndpoint
	looks   int
}

func (l *restless) Wait(deadline time.Time) (transport.ServerEndpoint, error) {
	if deadline.IsZero() || time.Now().Before(deadline) {
		return l.Listener.Wait(deadline)
	}
	if l.looks++; l.looks > 10_000 {
		return l.Listener.Wait(deadline)
	}
	return l.endless, nil
}

// A client that signals without end costs the server a look for each channel, and
// then the others are served.
func TestEndlessSignalsDoNotKeepOthersOut(t *testing.T) {
	l := &restless{Listener: memory.NewListener()}
	_, ep := bare(t, l.Listener, 1)
	ep.Notify()
	var err error
	if l.endless, err = l.Listener.Wait(time.Time{}); err != nil {
		t.Fatal(err)
	}
	s := vlibcall.NewServer(l)
	s.Order = vlibcall.InTurn
	s.Handle("t", "echo", func(c *vlibcall.Call) error {
		if l.looks > 10 {
			t.Errorf("the server looked %d times before it served", l.looks)
		}
		l.looks = 0
		return c.Reply(c.Input())
	})
	start(t, s)
	for range 3 {
		honest(t, l.Listener)
	}
}

// An interrupt while requests are waiting does not keep out the channels that are
// signalled behind it.
func TestInterruptDoesNotKeepOthersOut(t *testing.T) {
	l := memory.NewListener()
	s := vlibcall.NewServer(l)
	s.Order = vlibcall.InTurn
	one, first := bare(t, l, 16)
	two, second := bare(t, l, 1)
	var served []string
	s.Handle("t", "one", func(*vlibcall.Call) error {
		if len(served) == 0 {
			ask(two, 0, 1, "two")
			second.Notify()
			l.Interrupt()
		}
		served = append(served, "one")
		return nil
	})
	s.Handle("t", "two", func(*vlibcall.Call) error { served = append(served, "two"); return nil })
	for i := range 4 {
		ask(one, i, uint64(i+1), "one")
	}
	first.Notify()
	start(t, s)
	testkit.Eventually(t, "all are served", func() bool { return one.Asked(3) == 0 && two.Asked(0) == 0 })
	if got := slices.Index(served, "two"); got > 2 {
		t.Errorf("served %v", served)
	}
}

// The cost of a call that is answered while an abandoned one is served is read after one
// report of its end: a second one would have nothing of it.
func TestAnswerBesideAnAbandonedCallIsReportedOnce(t *testing.T) {
	l := memory.NewListener()
	s := vlibcall.NewServer(l)
	s.AtOnce = 2
	stopped := make(chan struct{})
	s.Handle("t", "echo", func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
	s.Handle("t", "deaf", func(*vlibcall.Call) error { <-stopped; return nil })
	start(t, s)
	t.Cleanup(func() { close(stopped) })
	b := &bank{Dialer: l}
	c := opened(t, b, vlibcall.Options{Reservation: 7, InFlight: 2})
	if _, err := c.Call(t.Context(), "t", "echo", nil, nil); err != nil {
		t.Fatal(err)
	}
	short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if _, err := c.Call(short, "t", "deaf", nil, nil); !errors.Is(err, vlibcall.ErrTimeout) {
		t.Error(err)
	}
	b.told()
	if _, _, err := c.CallReceipt(t.Context(), "t", "echo", nil, nil); err != nil {
		t.Error(err)
	}
	if asked := b.told(); !slices.Equal(asked, []string{"begin", "give up", "cost"}) {
		t.Errorf("asked %v", asked)
	}
}
