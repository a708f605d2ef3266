// SPDX-License-Identifier: Apache-2.0

package vlibcall_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
)

// bank is a Dialer whose channels' calls cost what the test sets.
type bank struct {
	transport.Dialer
	refuse, silent error
	cost           transport.Cost

	mu    sync.Mutex
	asked []string
	page  memory.Page // of the last channel
}

type paying struct {
	transport.ClientEndpoint
	*bank
}

func (p paying) Payment() transport.Payment { return p }

func (b *bank) Dial(ctx context.Context, o transport.Offer) (transport.ClientEndpoint, error) {
	ep, err := b.Dialer.Dial(ctx, o)
	if err == nil {
		b.page = ep.Header()
	}
	return paying{ep, b}, err
}

func (b *bank) note(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, what)
}

// told returns the calls of its methods since the last time.
func (b *bank) told() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	asked := b.asked
	b.asked = nil
	return asked
}

func (p paying) Begin(uint64, time.Duration) error {
	p.note("begin")
	if p.refuse != nil {
		return p.refuse
	}
	return p.Notify()
}
func (p paying) Urge(uint64, time.Duration) error { return p.Notify() }
func (p paying) End(uint64) error                 { p.note("end"); return nil }
func (p paying) GiveUp() error                    { p.note("give up"); return nil }
func (p paying) Cost(uint64) (transport.Cost, error) {
	p.note("cost")
	return p.cost, p.silent
}

// serving runs a vLib OS that echoes, sleeps and hangs.
func serving(t *testing.T) transport.Dialer {
	t.Helper()
	l := memory.NewListener()
	s := vlibcall.NewServer(l)
	s.Handle("t", "echo", func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
	s.Handle("t", "sleep", func(*vlibcall.Call) error { time.Sleep(nap); return nil })
	stopped := make(chan struct{})
	s.Handle("t", "deaf", func(*vlibcall.Call) error { <-stopped; return nil })
	s.Handle("t", "hang", func(c *vlibcall.Call) error {
		<-c.Context(context.Background()).Done()
		return vlibcall.ErrCancelled
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		close(stopped)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l
}

const nap = 20 * time.Millisecond

func opened(t *testing.T, d transport.Dialer, o vlibcall.Options) *vlibcall.Channel {
	t.Helper()
	o.Size, o.Wait = 8192, vlibcall.Block // so that each call begins a charge
	c, err := vlibcall.Open(t.Context(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestReceiptWithoutReservationHasWallTimeOnly(t *testing.T) {
	c := opened(t, serving(t), vlibcall.Options{})
	out, r, err := c.CallReceipt(t.Context(), "t", "echo", []byte("x"), nil)
	if string(out) != "x" || err != nil || r.Cost != nil || r.Wall <= 0 {
		t.Errorf("%q, %+v, %v", out, r, err)
	}
	if _, r, err := c.CallReceipt(t.Context(), "t", "sleep", nil, nil); err != nil || r.Wall < nap {
		t.Errorf("a nap of %v: %+v, %v", nap, r, err)
	}
	out, r, err = c.CallReceipt(t.Context(), "t", "none", nil, nil)
	if out != nil || !errors.Is(err, vlibcall.ErrNoFunction) || r.Wall <= 0 {
		t.Errorf("%q, %+v, %v", out, r, err)
	}
}

// A call's time includes the wait for calls ahead of it.
func TestReceiptIncludesTheQueue(t *testing.T) {
	c := opened(t, serving(t), vlibcall.Options{})
	first := c.Go(t.Context(), "t", "sleep", nil, nil)
	second := c.Go(t.Context(), "t", "sleep", nil, nil)
	start := time.Now()
	_, r, err := c.CallReceipt(t.Context(), "t", "echo", nil, nil)
	if err != nil || r.Wall < nap {
		t.Errorf("behind two naps: %+v, %v", r, err)
	}
	if since := time.Since(start); r.Wall > since {
		t.Errorf("%v, but it took %v", r.Wall, since)
	}
	<-first.Done()
	<-second.Done()
}

func TestReceiptHasTheCostOfItsReservation(t *testing.T) {
	b := &bank{Dialer: serving(t), cost: transport.Cost{Foreground: 3, Background: 4, Queued: 1, Throttled: 2, Deschedules: 5}}
	c := opened(t, b, vlibcall.Options{Reservation: 7})
	call := func(ctx context.Context, function string) (vlibcall.Receipt, []string, error) {
		b.told()
		_, r, err := c.CallReceipt(ctx, "t", function, nil, nil)
		return r, b.told(), err
	}
	// The server sleeps before it is called, so that the call begins a charge.
	settled := func() {
		for b.page.Word(memory.ServerWord).Load()>>32 == 0 {
			runtime.Gosched()
		}
	}

	settled()
	r, asked, err := call(t.Context(), "echo")
	if err != nil || r.Cost == nil || *r.Cost != b.cost || asked[len(asked)-1] != "cost" || !slices.Contains(asked, "end") {
		t.Errorf("%+v, %v, asked %v", r, err, asked)
	}

	b.silent = errors.New("no answer")
	if r, _, err := call(t.Context(), "echo"); err != nil || r.Cost != nil {
		t.Errorf("a scheduler that does not say: %+v, %v", r, err)
	}
	b.silent = nil

	short, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	r, asked, err = call(short, "hang")
	if !errors.Is(err, vlibcall.ErrTimeout) || r.Cost == nil || r.Wall < 50*time.Millisecond || !slices.Contains(asked, "give up") {
		t.Errorf("given up: %+v, %v, asked %v", r, err, asked)
	}
	if _, _, err := call(t.Context(), "echo"); err != nil {
		t.Error(err)
	}

	r, asked, err = call(t.Context(), string(make([]byte, 300)))
	if !errors.Is(err, vlibcall.ErrBadRequest) || r.Cost != nil || slices.Contains(asked, "cost") {
		t.Errorf("what never was posted: %+v, %v, asked %v", r, err, asked)
	}

	b.refuse = errors.New("no money")
	settled()
	r, asked, err = call(t.Context(), "echo")
	if !errors.Is(err, vlibcall.ErrReservation) || r.Cost != nil || slices.Contains(asked, "cost") {
		t.Errorf("refused: %+v, %v, asked %v", r, err, asked)
	}
	b.refuse = nil
}

// A reservation is charged for a late answer while the client waits for it, and
// no longer.
func TestLateAnswerIsGivenUpAgain(t *testing.T) {
	b := &bank{Dialer: serving(t)}
	c := opened(t, b, vlibcall.Options{Reservation: 7})
	for range 2 {
		b.told()
		short, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer stop()
		if _, err := c.Call(short, "t", "deaf", nil, nil); !errors.Is(err, vlibcall.ErrTimeout) {
			t.Errorf("of a server that is deaf: %v", err)
		}
		if asked := b.told(); !slices.Contains(asked, "give up") {
			t.Errorf("asked %v: it is not given up", asked)
		}
	}
}

// Names that are sent alone, because the input does not fit behind them, are their
// call's: with it they are given up.
func TestNamesThatAreNotTakenAreGivenUp(t *testing.T) {
	b := &bank{Dialer: memory.NewListener()} // nothing serves
	c := opened(t, b, vlibcall.Options{Reservation: 7})
	short, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if _, err := c.Call(short, "t", "echo", make([]byte, 4096), nil); !errors.Is(err, vlibcall.ErrTimeout) {
		t.Error(err)
	}
	if asked := b.told(); !slices.Equal(asked, []string{"begin", "give up"}) {
		t.Errorf("asked %v", asked)
	}
	turn := transport.Turn(b.page.Word(memory.Slot(0) + memory.Turn).Load())
	if turn != transport.TurnOf(1, transport.GivenUp) {
		t.Errorf("turn %#x of the names", uint64(turn))
	}
	if unanswered, err := c.Settle(); !unanswered || err != nil {
		t.Errorf("the names are not known to be unanswered: %v", err)
	}
}

// The server does not decide on the end of a session's charge.
func TestEndOfASessionIsPaidNoLonger(t *testing.T) {
	b := &bank{Dialer: serving(t)}
	c := opened(t, b, vlibcall.Options{Reservation: 7})
	s, err := c.Session(t.Context(), "t", "echo")
	if err != nil {
		t.Fatal(err)
	}
	b.told()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if asked := b.told(); !slices.Contains(asked, "end") {
		t.Errorf("asked %v: nothing says that it is over", asked)
	}
}

func TestRecordGetsEachCallAndItsError(t *testing.T) {
	var mu sync.Mutex
	var got []string
	c := opened(t, serving(t), vlibcall.Options{Record: func(library, function string, r vlibcall.Receipt, err error) {
		mu.Lock()
		defer mu.Unlock()
		word := "ok"
		for _, e := range []error{vlibcall.ErrTimeout, vlibcall.ErrNoFunction, os.ErrClosed} {
			if errors.Is(err, e) {
				word = e.Error()
			}
		}
		if r.Wall <= 0 || err != nil && word == "ok" {
			t.Errorf("%s:%s: %+v, %v", library, function, r, err)
		}
		got = append(got, fmt.Sprintf("%s:%s %s", library, function, word))
	}})
	expect := func(want ...string) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(got, want) {
			t.Errorf("recorded %q, want %q", got, want)
		}
		got = nil
	}
	if out, err := c.Call(t.Context(), "t", "echo", []byte("x"), nil); string(out) != "x" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	expect("t:echo ok")
	if _, _, err := c.CallReceipt(t.Context(), "t", "none", nil, nil); !errors.Is(err, vlibcall.ErrNoFunction) {
		t.Error(err)
	}
	expect("t:none no such function")
	if out, err := c.Go(t.Context(), "t", "echo", []byte("y"), nil).Result(); string(out) != "y" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	expect("t:echo ok")
	short, stop := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer stop()
	if out, err := c.Go(short, "t", "hang", nil, nil).Result(); out != nil || !errors.Is(err, vlibcall.ErrTimeout) {
		t.Errorf("%q, %v", out, err)
	}
	expect("t:hang no answer in time")
	s, err := c.Session(t.Context(), "t", "echo")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if out, err := s.Call(t.Context(), []byte("z"), nil); string(out) != "z" || err != nil {
			t.Errorf("%q, %v", out, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	expect("t:echo ok", "t:echo ok")
	c.Close()
	if _, err := c.Call(t.Context(), "t", "echo", nil, nil); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if _, err := c.Go(t.Context(), "t", "echo", nil, nil).Result(); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	closed := "t:echo " + os.ErrClosed.Error()
	expect(closed, closed)
}
