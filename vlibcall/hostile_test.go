// SPDX-License-Identifier: Apache-2.0

package vlibcall_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/vlibtest"
)

// rogue is a vLib OS in memory whose kernel does with the shared memory what
// it likes. There is no honest server behind it.
type rogue struct {
	*vlibtest.Listener
	// tamper may change the fresh header page before the client looks at it.
	tamper func(p vlibtest.Page)
	page   vlibtest.Page // of the last channel
	client vlibcall.ClientEndpoint
}

func newRogue() *rogue { return &rogue{Listener: vlibtest.NewListener()} }

func (r *rogue) Dial(ctx context.Context, o vlibcall.Offer) (vlibcall.ClientEndpoint, error) {
	ep, err := r.Listener.Dial(ctx, o)
	if err != nil {
		return nil, err
	}
	r.client, r.page = ep, vlibtest.Page(ep.Header())
	if r.tamper != nil {
		r.tamper(r.page)
	}
	return ep, nil
}

// answer waits for the next signal and lets f do what it wants with the
// channel, then signals the client.
func (r *rogue) answer(t testing.TB, f func(p vlibtest.Page, data []byte)) (done <-chan struct{}) {
	c := make(chan struct{})
	go func() {
		defer close(c)
		ep, err := r.Wait(time.Now().Add(5 * time.Second))
		if err != nil {
			t.Error("the rogue was not called:", err)
			return
		}
		data, _ := ep.Data()
		f(vlibtest.Page(ep.Header()), data)
		ep.Notify()
	}()
	return c
}

// typed are the ends of a call that a rogue may bring about.
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

// bound is far above every timeout used here: who needs longer hangs.
const bound = 5 * time.Second

func within(t testing.TB, what string, start time.Time) {
	t.Helper()
	if d := time.Since(start); d > bound {
		t.Errorf("%s took %v", what, d)
	}
}

func TestHeaderThatIsNotOne(t *testing.T) {
	for name, tamper := range map[string]func(vlibtest.Page){
		"magic":       func(p vlibtest.Page) { p.Word(vlibtest.Magic).Add(1) },
		"revision":    func(p vlibtest.Page) { p.Word(vlibtest.RevisionWord).Add(1) },
		"header size": func(p vlibtest.Page) { p.Word(vlibtest.RevisionWord).Add(1 << 32) },
		"generation":  func(p vlibtest.Page) { p.Word(vlibtest.Generation).Add(1) },
		"size":        func(p vlibtest.Page) { p.Word(vlibtest.Size).Add(4096) },
		"size 2^64-1": func(p vlibtest.Page) { p.Word(vlibtest.Size).Store(1<<64 - 1) },
		"an answer":   func(p vlibtest.Page) { p.Answer(1, 0) },
		"zeroes":      func(p vlibtest.Page) { clear(p) },
		"ones": func(p vlibtest.Page) {
			for i := range p {
				p[i] = 0xff
			}
		},
	} {
		r := newRogue()
		r.tamper = tamper
		c, err := vlibcall.Open(context.Background(), r, 1, 8192, vlibcall.Options{})
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

func TestAnswers(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for _, tt := range []struct {
		name   string
		answer func(p vlibtest.Page, data []byte)
		want   error
		dead   bool // the channel is of no more use
	}{
		{"unknown id", func(p vlibtest.Page, _ []byte) { p.Answer(77, 0) }, vlibcall.ErrProtocol, true},
		{"id of the future", func(p vlibtest.Page, _ []byte) { p.Answer(3, 0) }, vlibcall.ErrProtocol, true},
		{"largest id", func(p vlibtest.Page, _ []byte) { p.Answer(1<<64-1, 0) }, vlibcall.ErrProtocol, true},
		{"stale id", func(p vlibtest.Page, _ []byte) { p.Answer(0, 0) }, vlibcall.ErrProtocol, true},
		{"repeated id", func(p vlibtest.Page, _ []byte) { p.Answer(1, 0) }, vlibcall.ErrTimeout, false},
		{"inline output too long", func(p vlibtest.Page, _ []byte) { p.Answer(2, vlibtest.ReplyShapeOf(vlibcall.InlineSize+1, 0, true)) }, vlibcall.ErrProtocol, true},
		{"output too long", func(p vlibtest.Page, _ []byte) { p.Answer(2, vlibtest.ReplyShapeOf(4097, 0, false)) }, vlibcall.ErrProtocol, true},
		{"longest output", func(p vlibtest.Page, _ []byte) { p.Answer(2, vlibtest.ReplyShapeOf(1<<32-1, 0, false)) }, vlibcall.ErrProtocol, true},
		{"long detail", func(p vlibtest.Page, _ []byte) { p.Answer(2, vlibtest.ReplyShapeOf(1<<32-1, 1, false)) }, vlibcall.ErrProtocol, true},
		{"unknown status", func(p vlibtest.Page, _ []byte) {
			p.Answer(2, vlibtest.ReplyShapeOf(0, uint16(vlibcall.StatusUnpaid)+1, true))
		}, vlibcall.ErrProtocol, true},
		{"largest status", func(p vlibtest.Page, _ []byte) { p.Answer(2, vlibtest.ReplyShapeOf(0, 0xffff, true)) }, vlibcall.ErrProtocol, true},
		{"escapes in the detail", func(p vlibtest.Page, data []byte) {
			n := copy(data, "\x1b]0;owned\x07\x9b\xc2\x9b31m\x00"+long)
			p.Answer(2, vlibtest.ReplyShapeOf(uint32(n), 1, false))
		}, vlibcall.ErrFailed, false},
		{"alive word cleared", func(p vlibtest.Page, _ []byte) { p.Word(vlibcall.ServerAlive).Store(0) }, vlibcall.ErrGone, false},
		{"no answer", func(vlibtest.Page, []byte) {}, vlibcall.ErrTimeout, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // some wait until their time is over
			r := newRogue()
			c, err := vlibcall.Open(context.Background(), r, 1, 8192, vlibcall.Options{Timeout: 500 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			done := r.answer(t, func(p vlibtest.Page, _ []byte) { p.Answer(1, 0) })
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

// A word that is loaded twice is a word that differs.
func TestScribbler(t *testing.T) {
	for _, wait := range []vlibcall.WaitPolicy{vlibcall.SpinThenBlock, vlibcall.Block, vlibcall.Spin} {
		r := newRogue()
		var scribbling sync.WaitGroup
		outcomes := make(map[bool]int)
		for range 20 {
			c, err := vlibcall.Open(context.Background(), r, 1, 8192, vlibcall.Options{Wait: wait, Timeout: 5 * time.Millisecond})
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

// scribble writes what a server may write, in the order that hurts: plausible
// ids with shapes that change between good and bad.
func scribble(p vlibtest.Page, stop <-chan struct{}) {
	shapes := []uint64{
		0, vlibtest.ReplyShapeOf(8, 0, true), vlibtest.ReplyShapeOf(1<<32-1, 0, true), vlibtest.ReplyShapeOf(1<<31, 0, false),
		vlibtest.ReplyShapeOf(100, 3, false), vlibtest.ReplyShapeOf(992, 0xffff, true), 1<<64 - 1,
	}
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		p.Word(vlibtest.ReplyShape).Store(shapes[i%len(shapes)])
		if i%5 == 0 {
			p.Word(vlibtest.ReplyID).Store(p.Word(vlibtest.RequestID).Load() - uint64(i/5%2))
		}
		p.Word(vlibtest.ReplyWaiting).Store(uint64(i))
		if i%1000 == 999 {
			p.Word(vlibtest.Size).Store(rand.Uint64())
			p.Word(vlibtest.ReplyID).Store(rand.Uint64N(4))
		}
	}
}

// storm is an endpoint whose event is always pending: its Wait never comes to
// look at the deadline.
type storm struct{ vlibcall.ClientEndpoint }

func (storm) Wait(time.Time) error {
	runtime.Gosched()
	return nil
}

type stormDialer struct{ vlibcall.Dialer }

func (d stormDialer) Dial(ctx context.Context, o vlibcall.Offer) (vlibcall.ClientEndpoint, error) {
	ep, err := d.Dialer.Dial(ctx, o)
	return storm{ep}, err
}

// Events without end must not keep a caller from its timeout.
func TestEventStorm(t *testing.T) {
	for _, wait := range []vlibcall.WaitPolicy{vlibcall.SpinThenBlock, vlibcall.Block} {
		c, err := vlibcall.Open(context.Background(), stormDialer{newRogue()}, 1, 8192, vlibcall.Options{Wait: wait, Timeout: 30 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		result := make(chan error)
		go func() {
			_, err := c.Call(context.Background(), "t", "f", nil, nil)
			result <- err
		}()
		select {
		case err := <-result:
			if !errors.Is(err, vlibcall.ErrTimeout) {
				t.Errorf("%v: %v", wait, err)
			}
		case <-time.After(bound):
			t.Errorf("%v: the call goes on for ever", wait)
			c.Close()
			<-result
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// FuzzHeader puts any bytes anywhere into what a server can write before the
// client has attached.
func FuzzHeader(f *testing.F) {
	f.Add(uint16(0), []byte("vLibOS\x00\x02"))
	f.Add(uint16(0x480), []byte{1})
	f.Add(uint16(0x480), []byte{1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0})
	f.Add(uint16(0x980), []byte{0, 1})
	f.Add(uint16(0x900), []byte{0})
	f.Fuzz(func(t *testing.T, at uint16, junk []byte) {
		r := newRogue()
		var original []byte
		r.tamper = func(p vlibtest.Page) {
			original = bytes.Clone(p)
			copy(p[int(at)%len(p):], junk)
		}
		start := time.Now()
		c, err := vlibcall.Open(context.Background(), r, 1, 8192, vlibcall.Options{Timeout: time.Millisecond})
		if err != nil {
			if !errors.Is(err, vlibcall.ErrProtocol) {
				t.Errorf("open: untyped %v", err)
			}
			return
		}
		if !bytes.Equal(original[:0x20], r.page[:0x20]) {
			t.Errorf("accepted an identity of % x", r.page[:0x20])
		}
		for range 2 {
			if _, err := c.Call(context.Background(), "t", "f", make([]byte, 1000), nil); err == nil {
				t.Error("an answer from nobody")
			} else if !isTyped(err) {
				t.Errorf("call: untyped %v", err)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		within(t, "all of it", start)
	})
}

// FuzzReply answers with any id and shape; the model below says what must
// come of it.
func FuzzReply(f *testing.F) {
	f.Add(uint64(1), uint64(0), uint16(10), []byte("x"))
	f.Add(uint64(1), vlibtest.ReplyShapeOf(3, 0, true), uint16(10), []byte("abc"))
	f.Add(uint64(1), vlibtest.ReplyShapeOf(4096, 0, false), uint16(10), []byte("abc"))
	f.Add(uint64(1), vlibtest.ReplyShapeOf(3000, 0, false), uint16(2000), []byte("abc"))
	f.Add(uint64(1), vlibtest.ReplyShapeOf(2000, 1, false), uint16(2000), []byte("\x1b[2J"))
	f.Add(uint64(0), uint64(0), uint16(0), []byte{})
	f.Add(uint64(1), uint64(1<<64-1), uint16(0), []byte{})
	f.Fuzz(func(t *testing.T, id, shape uint64, input uint16, text []byte) {
		const size, names = 8192, 3 // "t", NUL, "f"
		request := names + int(input)
		if request > size-vlibcall.HeaderSize {
			t.Skip("the request does not fit")
		}
		offset := 0 // of the output in the data area
		if request > vlibcall.InlineSize {
			offset = (request + 63) &^ 63
		}
		length, status, inline := int(uint32(shape)), uint16(shape>>32), shape>>48&1 != 0
		var area []byte
		r := newRogue()
		timeout := bound
		if id == 0 {
			timeout = 20 * time.Millisecond
		}
		c, err := vlibcall.Open(context.Background(), r, 1, size, vlibcall.Options{Timeout: timeout})
		if err != nil {
			t.Fatal(err)
		}
		done := r.answer(t, func(p vlibtest.Page, data []byte) {
			area = p[vlibtest.ReplyInline : vlibtest.ReplyInline+vlibcall.InlineSize]
			if !inline {
				area = data[min(offset, len(data)):]
			}
			copy(area, text)
			p.Answer(id, shape)
		})
		start := time.Now()
		out, err := c.Call(context.Background(), "t", "f", make([]byte, input), nil)
		within(t, "the call", start)
		<-done
		var want error
		switch {
		case id == 0:
			want = vlibcall.ErrTimeout
		case id != 1, length > len(area), status > uint16(vlibcall.StatusUnpaid):
			want = vlibcall.ErrProtocol
		case status != 0:
			want = (&vlibcall.StatusError{Status: vlibcall.Status(status)}).Unwrap()
		}
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		if want == nil && !bytes.Equal(out, area[:length]) {
			t.Errorf("output of %d bytes is not what stood in the channel", len(out))
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}
