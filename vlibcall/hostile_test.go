// SPDX-License-Identifier: Apache-2.0

package vlibcall_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
)

// rogue is a vLib OS in memory whose kernel writes arbitrary data to the shared
// memory. There is no honest server.
type rogue struct {
	*memory.Listener
	// tamper may change the fresh header page before the client reads it.
	tamper func(p memory.Page)
	page   memory.Page // of the last channel
	client transport.ClientEndpoint
}

func newRogue() *rogue { return &rogue{Listener: memory.NewListener()} }

func (r *rogue) Dial(ctx context.Context, o transport.Offer) (transport.ClientEndpoint, error) {
	ep, err := r.Listener.Dial(ctx, o)
	if err != nil {
		return nil, err
	}
	r.client, r.page = ep, memory.Page(ep.Header())
	if r.tamper != nil {
		r.tamper(r.page)
	}
	return ep, nil
}

// answer waits for the next signal, calls f to change the channel, and signals
// the client.
func (r *rogue) answer(t testing.TB, f func(p memory.Page, data []byte)) (done <-chan struct{}) {
	c := make(chan struct{})
	go func() {
		defer close(c)
		ep, err := r.Wait(time.Now().Add(5 * time.Second))
		if err != nil {
			t.Error("the rogue was not called:", err)
			return
		}
		data, _ := ep.Data()
		f(memory.Page(ep.Header()), data)
		ep.Notify()
	}()
	return c
}

// typed are the errors with which a rogue may end a call.
var typed = []error{
	vlibcall.ErrProtocol, vlibcall.ErrTimeout, vlibcall.ErrGone, vlibcall.ErrFailed, vlibcall.ErrNoLibrary,
	vlibcall.ErrNoFunction, vlibcall.ErrSignature, vlibcall.ErrCrashed, vlibcall.ErrCancelled,
	vlibcall.ErrTooLarge, vlibcall.ErrBadRequest, vlibcall.ErrDenied,
}

func isTyped(err error) bool {
	for _, want := range typed {
		if errors.Is(err, want) {
			return true
		}
	}
	return false
}

// bound is far above every timeout used here: a call that takes longer hangs.
const bound = 5 * time.Second

func within(t testing.TB, what string, start time.Time) {
	t.Helper()
	if d := time.Since(start); d > bound {
		t.Errorf("%s took %v", what, d)
	}
}

func TestInvalidHeaderIsRefused(t *testing.T) {
	for name, tamper := range map[string]func(memory.Page){
		"magic":                                func(p memory.Page) { p.Word(memory.Magic).Add(1) },
		"revision":                             func(p memory.Page) { p.Word(memory.RevisionWord).Add(1) },
		"header size":                          func(p memory.Page) { p.Word(memory.RevisionWord).Add(1 << 32) },
		"generation":                           func(p memory.Page) { p.Word(memory.Generation).Add(1) },
		"size":                                 func(p memory.Page) { p.Word(memory.Size).Add(4096) },
		"size 2^64-1":                          func(p memory.Page) { p.Word(memory.Size).Store(1<<64 - 1) },
		"an answer":                            func(p memory.Page) { p.Answer(0, 1, 0, "") },
		"an answer in a slot that is not used": func(p memory.Page) { p.Answer(15, 16, 0, "") },
		"zeroes":                               func(p memory.Page) { clear(p) },
		"ones": func(p memory.Page) {
			for i := range p {
				p[i] = 0xff
			}
		},
	} {
		r := newRogue()
		r.tamper = tamper
		c, err := vlibcall.Open(context.Background(), r, vlibcall.Options{Size: 8192})
		if !errors.Is(err, vlibcall.ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			c.Close()
		}
		if r.client.Gone() == nil && name == "magic" {
			// The endpoint that Open refused was closed: its peer sees that.
			if _, err := r.Wait(time.Now().Add(bound)); err != nil {
				t.Errorf("the refused channel was not closed: %v", err)
			}
		}
	}
}

func TestInvalidAnswersAreErrors(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for _, tt := range []struct {
		name   string
		answer func(p memory.Page, data []byte)
		want   error
		dead   bool // the channel cannot be used any more
	}{
		{"unknown number", answer(77, 0, ""), vlibcall.ErrProtocol, true},
		{"number of the future", answer(3, 0, ""), vlibcall.ErrProtocol, true},
		{"largest number", answer(1<<62-1, 0, ""), vlibcall.ErrProtocol, true},
		{"stale number", answer(1, 0, ""), vlibcall.ErrProtocol, true},
		{"no number", answer(0, 0, ""), vlibcall.ErrProtocol, true},
		{"given up by the server", turn(transport.TurnOf(2, transport.GivenUp)), vlibcall.ErrProtocol, true},
		{"no phase", turn(2<<2 | 3), vlibcall.ErrProtocol, true},
		{"asked again", turn(transport.TurnOf(2, transport.Asked)), vlibcall.ErrTimeout, false},
		{"output longer than the slot", answer(2, memory.ShapeOf(transport.SlotSize+1, 0, 0), ""), vlibcall.ErrProtocol, true},
		{"output longer than the near part", answer(2, memory.ShapeOf(transport.NearSize+1, 0, memory.FlagNear), ""), vlibcall.ErrProtocol, true},
		{"output longer than the data part", answer(2, memory.ShapeOf(4097, 0, memory.FlagData), ""), vlibcall.ErrProtocol, true},
		{"output in two places", answer(2, memory.ShapeOf(1, 0, memory.FlagNear|memory.FlagData), ""), vlibcall.ErrProtocol, true},
		{"nothing in two places", answer(2, memory.ShapeOf(0, 0, memory.FlagNear|memory.FlagData), ""), vlibcall.ErrProtocol, true},
		{"flags of a request", answer(2, memory.ShapeOf(0, 0, memory.FlagNothing), ""), vlibcall.ErrProtocol, true},
		{"unknown flags", answer(2, memory.ShapeOf(0, 0, 1<<63), ""), vlibcall.ErrProtocol, true},
		{"longest output", answer(2, memory.ShapeOf(1<<32-1, 0, memory.FlagData), ""), vlibcall.ErrProtocol, true},
		{"long detail", answer(2, memory.ShapeOf(1<<32-1, 1, memory.FlagData), ""), vlibcall.ErrProtocol, true},
		{"unknown status", answer(2, memory.ShapeOf(0, uint16(vlibcall.StatusUnpaid)+1, 0), ""), vlibcall.ErrProtocol, true},
		{"largest status", answer(2, memory.ShapeOf(0, 0xffff, 0), ""), vlibcall.ErrProtocol, true},
		{"escapes in the detail", func(p memory.Page, data []byte) {
			n := copy(data, "\x1b]0;owned\x07\x9b\xc2\x9b31m\x00"+long)
			p.Answer(0, 2, memory.ShapeOf(uint32(n), 1, memory.FlagData), "")
		}, vlibcall.ErrFailed, false},
		{"alive word cleared", func(p memory.Page, _ []byte) { p.Word(memory.ServerWord).Store(0) }, vlibcall.ErrGone, false},
		{"no answer", func(memory.Page, []byte) {}, vlibcall.ErrTimeout, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // some wait until their time is over
			r := newRogue()
			c, err := vlibcall.Open(context.Background(), r, vlibcall.Options{Size: 8192, Timeout: 500 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			done := r.answer(t, answer(1, 0, ""))
			if _, err := c.Call(context.Background(), "t", "f", nil, nil); err != nil {
				t.Fatal("the honest answer:", err)
			}
			<-done
			done = r.answer(t, tt.answer)
			start := time.Now()
			_, err = c.Call(context.Background(), "t", "f", nil, nil)
			within(t, "the call", start)
			<-done
			if !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			} else if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
				t.Errorf("control characters reach the caller: %q", err)
			}
			if _, again := c.Call(context.Background(), "t", "f", nil, nil); tt.dead && !errors.Is(again, vlibcall.ErrProtocol) {
				t.Errorf("the next call: %v", again)
			} else if again == nil {
				t.Error("the next call succeeded")
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A word loaded twice may have two values.
func TestChangingAnswersAreChecked(t *testing.T) {
	for _, wait := range []vlibcall.WaitPolicy{vlibcall.SpinThenBlock, vlibcall.Block, vlibcall.Spin} {
		r := newRogue()
		var scribbling sync.WaitGroup
		outcomes := make(map[bool]int)
		for range 20 {
			c, err := vlibcall.Open(context.Background(), r, vlibcall.Options{Size: 8192, Wait: wait, Timeout: 5 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			stop := make(chan struct{})
			page := r.page
			scribbling.Go(func() { scribble(page, stop) })
			for range 20 {
				start := time.Now()
				out, err := c.Call(context.Background(), "t", "f", make([]byte, 2000), nil)
				within(t, "a call", start)
				if err != nil && !isTyped(err) {
					t.Errorf("untyped: %v", err)
				}
				if len(out) > 8192 {
					t.Errorf("%d bytes out of a channel of 8192", len(out))
				}
				outcomes[err == nil]++
				if errors.Is(err, vlibcall.ErrProtocol) {
					break
				}
			}
			start := time.Now()
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			within(t, "Close", start)
			close(stop)
			scribbling.Wait()
		}
		t.Logf("%v: %d answers taken, %d errors", wait, outcomes[true], outcomes[false])
	}
}

// answer publishes an answer in the first slot.
func answer(number, shape uint64, line string) func(memory.Page, []byte) {
	return func(p memory.Page, _ []byte) { p.Answer(0, number, shape, line) }
}

// turn stores a turn in the first slot.
func turn(turn transport.Turn) func(memory.Page, []byte) {
	return func(p memory.Page, _ []byte) { p.Word(memory.Slot(0) + memory.Turn).Store(uint64(turn)) }
}

// scribble writes what a server may write, in the worst order: plausible turns
// with shapes that alternate between valid and invalid.
func scribble(p memory.Page, stop <-chan struct{}) {
	shapes := []uint64{
		0, memory.ShapeOf(8, 0, 0), memory.ShapeOf(1<<32-1, 0, 0), memory.ShapeOf(1<<31, 0, memory.FlagData), memory.ShapeOf(9, 0, memory.FlagNear),
		memory.ShapeOf(100, 3, memory.FlagData), memory.ShapeOf(40, 0xffff, 0), 1<<64 - 1,
	}
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		for slot := range transport.MaxInFlight {
			at := memory.Slot(slot)
			p.Word(at + memory.Shape).Store(shapes[i%len(shapes)])
			p.Word(at + memory.Timeout).Store(rand.Uint64())
			if asked := p.Asked(slot); asked != 0 && i%5 == 0 {
				p.Word(at + memory.Turn).Store(uint64(transport.TurnOf(asked, transport.Answered)))
			}
			if i%1000 == 999 {
				p.Word(at + memory.Turn).Store(rand.Uint64N(16))
			}
		}
		p.Word(memory.ServerWord).Store(1 | uint64(i)<<32)
		if i%1000 == 999 {
			p.Word(memory.Size).Store(rand.Uint64())
		}
	}
}
