// SPDX-License-Identifier: Apache-2.0

package vlibcall_test

import (
	"context"
	"errors"
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
	return &rawClient{page: memory.Page(ep.Header()), data: data, ep: ep}, l
}

// ask posts a request and returns the status of its answer.
func (r *rawClient) ask(t testing.TB, shape uint64, inline, data []byte) vlibcall.Status {
	t.Helper()
	copy(r.page[memory.RequestInline:][:transport.InlineSize], inline)
	copy(r.data, data)
	r.page.Word(memory.RequestShape).Store(shape)
	r.page.Word(memory.RequestTime + 8).Store(1) // waiting
	r.id++
	r.page.Word(memory.RequestID).Store(r.id)
	r.ep.Notify()
	for end := time.Now().Add(bound); time.Now().Before(end); {
		if r.page.Word(memory.ReplyID).Load() == r.id {
			return vlibcall.Status(r.page.Word(memory.ReplyShape).Load() >> 32)
		}
		r.ep.Wait(time.Now().Add(10 * time.Millisecond))
	}
	t.Fatalf("no answer to request %d of shape %#x", r.id, shape)
	return 0
}

// Flags of a request.
const (
	inline      = 1 << 48
	session     = 1 << 49
	sessionOpen = 1 << 50
	sessionEnd  = 1 << 51
)

func requestShape(input uint32, library, function uint8) uint64 {
	return uint64(input) | uint64(library)<<32 | uint64(function)<<40
}

func TestMalformedRequestsAreRefused(t *testing.T) {
	r, d := serveHonest(t)
	for _, tt := range []struct {
		name  string
		shape uint64
		text  string
		want  vlibcall.Status
	}{
		{"well-formed", requestShape(3, 1, 4) | inline, "t\x00echoabc", vlibcall.StatusOK},
		{"input beyond the header page", requestShape(transport.InlineSize, 1, 4) | inline, "t\x00echo", vlibcall.StatusBadRequest},
		{"input beyond the data area", requestShape(4096, 1, 4), "", vlibcall.StatusBadRequest},
		{"longest input", requestShape(1<<32-1, 1, 4), "", vlibcall.StatusBadRequest},
		{"longest input, inline", requestShape(1<<32-1, 255, 255) | inline, "", vlibcall.StatusBadRequest},
		{"all ones", 1<<64 - 1, "", vlibcall.StatusBadRequest},
		{"no NUL", requestShape(0, 1, 4) | inline, "t.echo", vlibcall.StatusBadRequest},
		{"two NULs", requestShape(0, 1, 4) | inline, "t\x00ec\x00o", vlibcall.StatusBadRequest},
		{"NUL in the wrong place", requestShape(0, 4, 1) | inline, "t\x00echo", vlibcall.StatusBadRequest},
		{"no names", requestShape(0, 0, 0) | inline, "", vlibcall.StatusBadRequest},
		{"library only", requestShape(0, 1, 0) | inline, "t\x00", vlibcall.StatusNoFunction},
		{"function only", requestShape(0, 0, 4) | inline, "\x00echo", vlibcall.StatusNoLibrary},
		{"session without open", requestShape(3, 0, 0) | inline | session, "abc", vlibcall.StatusBadRequest},
		{"session opened on nothing", requestShape(0, 0, 0) | inline | session | sessionOpen, "", vlibcall.StatusBadRequest},
		{"end of no session", requestShape(0, 0, 0) | inline | sessionEnd, "", vlibcall.StatusBadRequest},
		{"open", requestShape(0, 1, 4) | inline | session | sessionOpen, "t\x00echo", vlibcall.StatusOK},
		{"in the session", requestShape(3, 0, 0) | inline | session, "abc", vlibcall.StatusOK},
		{"malformed in the session", requestShape(1<<31, 0, 0) | inline | session, "", vlibcall.StatusBadRequest},
		{"session continues", requestShape(3, 0, 0) | inline | session, "abc", vlibcall.StatusOK},
		{"end", requestShape(0, 0, 0) | inline | sessionEnd, "", vlibcall.StatusOK},
		{"after the end", requestShape(3, 0, 0) | inline | session, "abc", vlibcall.StatusBadRequest},
		{"unknown flags", requestShape(3, 1, 4) | inline | 0xfff0<<48, "t\x00echoabc", vlibcall.StatusOK},
	} {
		if got := r.ask(t, tt.shape, []byte(tt.text), nil); got != tt.want {
			t.Errorf("%s: status %d, want %d", tt.name, got, tt.want)
		}
	}
	// A request whose id is smaller is a request like any other.
	r.id = 0
	if got := r.ask(t, requestShape(3, 1, 4)|inline, []byte("t\x00echoabc"), nil); got != vlibcall.StatusOK {
		t.Errorf("id that was used before: status %d", got)
	}
	honest(t, d)
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
		r.page.Word(memory.RequestTime).Store(limit)
		if got := r.ask(t, requestShape(0, 1, 8)|inline, []byte("t\x00deadline"), nil); got != vlibcall.StatusOK {
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
	f.Add(requestShape(3, 1, 4)|inline, []byte("t\x00echoabc"), []byte{})
	f.Add(requestShape(3, 1, 4), []byte{}, []byte("t\x00echoabc"))
	f.Add(uint64(1<<64-1), []byte{}, []byte{})
	f.Add(requestShape(4090, 1, 4)|session, []byte{}, []byte("t\x00echo"))
	f.Fuzz(func(t *testing.T, shape uint64, header, data []byte) {
		r, d := serveHonest(t)
		for range 2 {
			if got := r.ask(t, shape, header, data); got > vlibcall.StatusDenied {
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
	memory.Page(mute.ep.Header()).Answer(1, 0)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		ep, err := l.Wait(time.Now().Add(bound))
		if err != nil {
			t.Error(err)
			return
		}
		memory.Page(ep.Header()).Answer(2, 0)
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
