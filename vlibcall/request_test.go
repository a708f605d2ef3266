// SPDX-License-Identifier: Apache-2.0

package vlibcall_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
)

// rawClient writes requests word by word.
type rawClient struct {
	page memory.Page
	data []byte
	ep   transport.ClientEndpoint
	id   uint64
}

// serveHonest runs a server, and returns a raw client and a dialer for honest
// ones.
func serveHonest(t testing.TB) (*rawClient, transport.Dialer) {
	t.Helper()
	l := memory.NewListener()
	s := vlibcall.NewServer(l)
	s.Handle("t", "echo", func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
	s.Handle("t", "deadline", func(c *vlibcall.Call) error {
		select {
		case <-c.Context(context.Background()).Done():
			return vlibcall.ErrCancelled
		case <-time.After(50 * time.Millisecond):
			return nil
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	ep, err := l.Dial(ctx, transport.Offer{Port: 1, Size: 8192})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ep.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	data, _ := ep.Data()
	r := &rawClient{page: memory.Page(ep.Header()), data: data, ep: ep}
	r.page.Attach(1)
	r.page.Word(memory.ClientWaiting).Store(transport.WakeAtEach)
	return r, l
}

// ask posts a request and returns the status of its answer.
func (r *rawClient) ask(t testing.TB, shape uint64, line string, near, data []byte) vlibcall.Status {
	t.Helper()
	copy(r.page[memory.Near:], near)
	copy(r.data, data)
	r.id++
	r.page.Ask(0, r.id, shape, line)
	r.ep.Notify()
	for end := time.Now().Add(bound); time.Now().Before(end); {
		if r.page.Asked(0) == 0 {
			return vlibcall.Status(r.page.Word(memory.Slot(0)+memory.Shape).Load() >> 32)
		}
		r.ep.Wait(time.Now().Add(10 * time.Millisecond))
	}
	t.Fatalf("no answer to request %d of shape %#x", r.id, shape)
	return 0
}

// names are those of the function echo.
var names = memory.Names("t", "echo")

func TestMalformedRequestsAreRefused(t *testing.T) {
	r, d := serveHonest(t)
	const bind = memory.FlagNames
	n := uint32(len(names))
	long := strings.Repeat("x", 256)
	for _, tt := range []struct {
		name  string
		shape uint64
		text  string
		want  vlibcall.Status
	}{
		{"function that was never bound", memory.ShapeOf(3, 0, 0), "abc", vlibcall.StatusBadRequest},
		{"well-formed", memory.ShapeOf(n+3, 1, bind), names + "abc", vlibcall.StatusOK},
		{"by number", memory.ShapeOf(3, 1, 0), "abc", vlibcall.StatusOK},
		{"number below it", memory.ShapeOf(3, 0, 0), "abc", vlibcall.StatusBadRequest},
		{"number above it", memory.ShapeOf(3, 2, 0), "abc", vlibcall.StatusBadRequest},
		{"largest number", memory.ShapeOf(3, 0xffff, 0), "abc", vlibcall.StatusBadRequest},
		{"last number", memory.ShapeOf(n, 255, bind), names, vlibcall.StatusOK},
		{"number beyond the last", memory.ShapeOf(n, 256, bind), names, vlibcall.StatusBadRequest},
		{"input longer than the slot", memory.ShapeOf(transport.SlotSize+1, 1, 0), "", vlibcall.StatusBadRequest},
		{"input longer than the near part", memory.ShapeOf(transport.NearSize+1, 1, memory.FlagNear), "", vlibcall.StatusBadRequest},
		{"input longer than the data part", memory.ShapeOf(4097, 1, memory.FlagData), "", vlibcall.StatusBadRequest},
		{"longest input", memory.ShapeOf(1<<32-1, 1, memory.FlagData), "", vlibcall.StatusBadRequest},
		{"in two places", memory.ShapeOf(1, 1, memory.FlagData|memory.FlagNear), "", vlibcall.StatusBadRequest},
		{"nothing in two places", memory.ShapeOf(0, 1, memory.FlagData|memory.FlagNear), "", vlibcall.StatusBadRequest},
		{"all ones", 1<<64 - 1, "", vlibcall.StatusBadRequest},
		{"no names", memory.ShapeOf(0, 2, bind), "", vlibcall.StatusBadRequest},
		{"one name", memory.ShapeOf(16, 2, bind), "t\x00echo............", vlibcall.StatusBadRequest},
		{"library only", memory.ShapeOf(16, 2, bind), "t\x00\x00" + string(make([]byte, 13)), vlibcall.StatusBadRequest},
		{"function only", memory.ShapeOf(16, 2, bind), "\x00echo\x00" + string(make([]byte, 10)), vlibcall.StatusBadRequest},
		{"names without their padding", memory.ShapeOf(7, 2, bind), "t\x00echo\x00", vlibcall.StatusBadRequest},
		{"names longer than their message", memory.ShapeOf(5, 2, bind), names, vlibcall.StatusBadRequest},
		{"a name of 256 bytes", memory.ShapeOf(272, 2, bind|memory.FlagNear), long, vlibcall.StatusBadRequest},
		{"not bound by those", memory.ShapeOf(0, 2, 0), "", vlibcall.StatusBadRequest},
		{"unknown library", memory.ShapeOf(16, 3, bind), memory.Names("u", "echo"), vlibcall.StatusNoLibrary},
		{"unknown function", memory.ShapeOf(16, 4, bind), memory.Names("t", "none"), vlibcall.StatusNoFunction},
		{"again by number", memory.ShapeOf(0, 4, 0), "", vlibcall.StatusNoFunction},
		{"bound again", memory.ShapeOf(n, 4, bind), names, vlibcall.StatusOK},
		{"nothing", memory.ShapeOf(0, 1, memory.FlagNothing), "", vlibcall.StatusOK},
		{"nothing of no function", memory.ShapeOf(0, 9, memory.FlagNothing), "", vlibcall.StatusBadRequest},
		{"a session's call", memory.ShapeOf(3, 1, memory.FlagPoll), "abc", vlibcall.StatusOK},
		{"malformed in the session", memory.ShapeOf(1<<31, 1, memory.FlagPoll), "", vlibcall.StatusBadRequest},
		{"the session's end", memory.ShapeOf(0, 1, memory.FlagNothing), "", vlibcall.StatusOK},
		{"unknown flags", memory.ShapeOf(3, 1, 0xffe0<<48), "abc", vlibcall.StatusBadRequest},
	} {
		near := []byte(nil)
		if tt.shape&memory.FlagNear != 0 {
			near = []byte(tt.text)
		}
		if got := r.ask(t, tt.shape, tt.text, near, nil); got != tt.want {
			t.Errorf("%s: status %d, want %d", tt.name, got, tt.want)
		}
	}
	honest(t, d)
}

// A request with another number than the next is none, and so is a turn that is the
// client's: the server looks at neither.
func TestRequestOutOfTurnIsNotServed(t *testing.T) {
	r, d := serveHonest(t)
	n := memory.ShapeOf(uint32(len(names)), 0, memory.FlagNames)
	if got := r.ask(t, n, names, nil, nil); got != vlibcall.StatusOK {
		t.Fatalf("status %d", got)
	}
	word := r.page.Word(memory.Slot(0) + memory.Turn)
	for _, turn := range []transport.Turn{
		transport.TurnOf(1, transport.Asked), transport.TurnOf(3, transport.Asked), transport.TurnOf(1<<61, transport.Asked),
		transport.TurnOf(2, transport.Answered), 2<<2 | 3,
	} {
		word.Store(uint64(turn))
		r.ep.Notify()
		honest(t, d) // the server has looked
		if got := transport.Turn(word.Load()); got != turn {
			t.Errorf("turn %#x became %#x", turn, got)
		}
	}
	if got := r.ask(t, n, names, nil, nil); got != vlibcall.StatusOK {
		t.Errorf("the next number: status %d", got)
	}
}

// What a number stands for is a channel's own matter.
func TestBoundNumberIsOfItsChannelAlone(t *testing.T) {
	r, d := serveHonest(t)
	if got := r.ask(t, memory.ShapeOf(uint32(len(names)), 7, memory.FlagNames), names, nil, nil); got != vlibcall.StatusOK {
		t.Fatalf("status %d", got)
	}
	ep, err := d.Dial(t.Context(), transport.Offer{Port: 1, Size: 8192})
	if err != nil {
		t.Fatal(err)
	}
	defer ep.Close()
	other := &rawClient{page: memory.Page(ep.Header()), ep: ep}
	other.page.Attach(1)
	if got := other.ask(t, memory.ShapeOf(3, 7, 0), "abc", nil, nil); got != vlibcall.StatusBadRequest {
		t.Errorf("a number of another channel: status %d", got)
	}
	if got := r.ask(t, memory.ShapeOf(3, 7, 0), "abc", nil, nil); got != vlibcall.StatusOK {
		t.Errorf("its own: status %d", got)
	}
}

// More requests than were agreed on are not looked at: the server knows how many
// slots there are, and takes numbers in their order.
func TestRequestsBeyondTheSlotsAreNotServed(t *testing.T) {
	r, d := serveHonest(t)
	r.page.Attach(16) // the server has not looked yet
	r.page.Attach(2)
	text := memory.ShapeOf(uint32(len(names)), 0, memory.FlagNames)
	for slot := range 16 {
		r.page.Ask(slot, uint64(slot+1), text, names)
	}
	r.ep.Notify()
	honest(t, d)
	for slot := range 16 {
		if asked := r.page.Asked(slot); (asked == 0) != (slot < 2) {
			t.Errorf("slot %d: request %d is unanswered", slot, asked)
		}
	}
	r.page.Attach(16) // it agreed on 2
	r.ep.Notify()
	honest(t, d)
	if r.page.Asked(2) != 3 {
		t.Error("a third slot after the server had looked")
	}
}

// An event may be one of an earlier channel with the same port.
func TestEventBeforeTheClientCameEndsNothing(t *testing.T) {
	r, d := serveHonest(t)
	r.page.Word(transport.ClientAlive).Store(2) // offered, and nothing agreed
	r.ep.Notify()
	honest(t, d)
	if err := r.ep.Gone(); err != nil {
		t.Fatal(err)
	}
	r.page.Attach(1)
	r.page.Ask(0, 1, memory.ShapeOf(uint32(len(names)), 0, memory.FlagNames), names)
	r.ep.Notify()
	honest(t, d)
	if asked := r.page.Asked(0); asked != 0 {
		t.Errorf("request %d is unanswered", asked)
	}
}

// A client that agrees on no valid number of slots gets no service.
func TestInvalidInFlightIsRefused(t *testing.T) {
	for _, inFlight := range []uint32{0, 3, 17, 32, 1<<32 - 1} {
		r, d := serveHonest(t)
		r.page.Attach(inFlight)
		r.page.Ask(0, 1, memory.ShapeOf(uint32(len(names)), 0, memory.FlagNames), names)
		r.ep.Notify()
		honest(t, d)
		if r.page.Asked(0) != 1 || r.ep.Gone() == nil {
			t.Errorf("%d in flight: the server serves it", inFlight)
		}
	}
}

// honest is a client that other clients must not affect.
func honest(t testing.TB, d transport.Dialer) {
	t.Helper()
	c, err := vlibcall.Open(context.Background(), d, vlibcall.Options{Size: 8192, Timeout: bound})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if out, err := c.Call(context.Background(), "t", "echo", []byte("x"), nil); err != nil || string(out) != "x" {
		t.Errorf("an honest client: %q, %v", out, err)
	}
}

// A time limit beyond all clocks means no limit.
func TestLongestTimeLimitIsNoLimit(t *testing.T) {
	r, d := serveHonest(t)
	for _, limit := range []uint64{1<<64 - 1, 1<<63 - 1, 1 << 63} {
		r.page.Word(memory.Slot(0) + memory.Timeout).Store(limit)
		names := memory.Names("t", "deadline")
		if got := r.ask(t, memory.ShapeOf(uint32(len(names)), 0, memory.FlagNames), names, nil, nil); got != vlibcall.StatusOK {
			t.Errorf("limit %#x: status %d", limit, got)
		}
	}
	c, err := vlibcall.Open(context.Background(), d, vlibcall.Options{Size: 8192})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().AddDate(500, 0, 0))
	defer cancel()
	if _, err := c.Call(ctx, "t", "deadline", nil, nil); err != nil {
		t.Error(err)
	}
}

// FuzzRequest: the server answers any request, and then serves the next.
func FuzzRequest(f *testing.F) {
	n := uint32(len(names))
	f.Add(memory.ShapeOf(n+3, 0, memory.FlagNames), []byte(names+"abc"), []byte{})
	f.Add(memory.ShapeOf(n+3, 7, memory.FlagNames|memory.FlagNear), []byte(names+"abc"), []byte{})
	f.Add(memory.ShapeOf(4090, 0, memory.FlagNames|memory.FlagData|memory.FlagPoll), []byte{}, []byte(names))
	f.Add(uint64(1<<64-1), []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, shape uint64, header, data []byte) {
		r, d := serveHonest(t)
		for range 2 {
			if got := r.ask(t, shape, string(header), header[:min(len(header), transport.NearSize)], data); got > vlibcall.StatusDenied {
				t.Errorf("status %d", got)
			}
		}
		honest(t, d)
	})
}

// A server that the transport can no longer signal is not blamed for its answer
// to a request of which it could not be told.
func TestFailedNotifyFailsItsCallOnly(t *testing.T) {
	l := memory.NewListener()
	mute := &muteDialer{Dialer: l}
	c, err := vlibcall.Open(context.Background(), mute, vlibcall.Options{Size: 8192, Timeout: bound})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	mute.ep.fail = true
	if _, err := c.Call(context.Background(), "t", "echo", nil, nil); !errors.Is(err, errMute) {
		t.Errorf("%v, want what Notify said", err)
	}
	mute.ep.fail = false
	memory.Page(mute.ep.Header()).Answer(0, 1, 0, "")
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		ep, err := l.Wait(time.Now().Add(bound))
		if err != nil {
			t.Error(err)
			return
		}
		memory.Page(ep.Header()).Answer(0, 2, 0, "")
		ep.Notify()
	}()
	if _, err := c.Call(context.Background(), "t", "echo", nil, nil); err != nil {
		t.Errorf("the next call: %v", err)
	}
	<-answered
}

var errMute = errors.New("mute")

type muteEndpoint struct {
	transport.ClientEndpoint
	fail bool
}

func (e *muteEndpoint) Notify() error {
	if e.fail {
		return errMute
	}
	return e.ClientEndpoint.Notify()
}

type muteDialer struct {
	transport.Dialer
	ep *muteEndpoint
}

func (d *muteDialer) Dial(ctx context.Context, o transport.Offer) (transport.ClientEndpoint, error) {
	ep, err := d.Dialer.Dial(ctx, o)
	d.ep = &muteEndpoint{ClientEndpoint: ep}
	return d.ep, err
}
