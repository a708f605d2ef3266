// SPDX-License-Identifier: Apache-2.0

package vlibcall_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
)

// pooledServer is a server that can restart, and a dialer to it that counts the
// channels that it has opened and that are open.
type pooledServer struct {
	t     *testing.T
	began chan struct{} // a call of "hang" has begun

	mu     sync.Mutex
	l      transport.Dialer
	dialed int
	open   atomic.Int32
	stop   func()
}

func (s *pooledServer) Dial(ctx context.Context, o transport.Offer) (transport.ClientEndpoint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ep, err := s.l.Dial(ctx, o)
	if err == nil {
		s.dialed++
		s.open.Add(1)
		ep = countedEnd{ep, s, new(sync.Once)}
	}
	return ep, err
}

type countedEnd struct {
	transport.ClientEndpoint
	s    *pooledServer
	once *sync.Once
}

func (e countedEnd) Close() error {
	e.once.Do(func() { e.s.open.Add(-1) })
	return e.ClientEndpoint.Close()
}

// start starts the server, or another one in its place.
func (s *pooledServer) start() {
	if s.stop != nil {
		s.stop()
	}
	l := memory.NewListener()
	server := vlibcall.NewServer(l)
	server.Handle("t", "echo", func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
	server.Handle("t", "hang", func(c *vlibcall.Call) error {
		s.began <- struct{}{}
		<-c.Context(s.t.Context()).Done()
		return vlibcall.ErrCancelled
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.Serve(ctx) }()
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	}
	s.mu.Lock()
	s.l = l
	s.mu.Unlock()
}

func newPool(t *testing.T, o vlibcall.PoolOptions) (*pooledServer, *vlibcall.Pool) {
	s := &pooledServer{t: t, began: make(chan struct{}, 10)}
	s.start()
	p := vlibcall.NewPool(s, vlibcall.Options{Size: 8192}, o)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		s.stop()
		if n := s.open.Load(); n != 0 {
			t.Errorf("%d channels are open after Close", n)
		}
	})
	return s, p
}

func pooledEcho(t *testing.T, p *vlibcall.Pool) {
	t.Helper()
	if out, err := p.Call(t.Context(), "t", "echo", []byte("x"), nil); string(out) != "x" || err != nil {
		t.Fatalf("%q, %v", out, err)
	}
}

func TestPoolOpensOneChannelForCallsOneAfterTheOther(t *testing.T) {
	s, p := newPool(t, vlibcall.PoolOptions{})
	for range 20 {
		pooledEcho(t, p)
	}
	if s.dialed != 1 {
		t.Errorf("%d channels", s.dialed)
	}
	// A function's error is no fault of its channel.
	if _, err := p.Call(t.Context(), "t", "none", nil, nil); !errors.Is(err, vlibcall.ErrNoFunction) {
		t.Error(err)
	}
	pooledEcho(t, p)
	if s.dialed != 1 {
		t.Errorf("%d channels after an error", s.dialed)
	}
}

func TestPoolIsBounded(t *testing.T) {
	s, p := newPool(t, vlibcall.PoolOptions{Most: 2})
	ctx, cancel := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	for range 2 {
		calls.Go(func() {
			if _, err := p.Call(ctx, "t", "hang", nil, nil); !errors.Is(err, vlibcall.ErrTimeout) {
				t.Error(err)
			}
		})
	}
	<-s.began // of two calls the server serves one
	testkit.Eventually(t, "both have a channel", func() bool { return s.open.Load() == 2 })
	short, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	if _, err := p.Call(short, "t", "echo", nil, nil); !errors.Is(err, vlibcall.ErrTimeout) {
		t.Errorf("a third call: %v", err)
	}
	cancel()
	calls.Wait()
	pooledEcho(t, p)
	if s.open.Load() > 2 {
		t.Errorf("%d channels of 2", s.open.Load())
	}
}

func TestPoolSurvivesTheServersRestart(t *testing.T) {
	s, p := newPool(t, vlibcall.PoolOptions{})
	for range 5 {
		pooledEcho(t, p)
		s.start()
	}
	pooledEcho(t, p)
	if s.dialed != 6 || s.open.Load() != 1 {
		t.Errorf("%d channels, %d open", s.dialed, s.open.Load())
	}
}

func TestPoolClosesIdleChannels(t *testing.T) {
	s, p := newPool(t, vlibcall.PoolOptions{Idle: time.Millisecond})
	pooledEcho(t, p)
	testkit.Eventually(t, "it is closed", func() bool { return s.open.Load() == 0 })
	pooledEcho(t, p)
}

func TestClosedPoolRefusesCalls(t *testing.T) {
	_, p := newPool(t, vlibcall.PoolOptions{})
	pooledEcho(t, p)
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Error(err)
	}
	if _, err := p.Call(t.Context(), "t", "echo", nil, nil); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}
