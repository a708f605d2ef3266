// SPDX-License-Identifier: Apache-2.0

//go:build dom0

// These run in the lab's Dom0, on real Xen: Dom0 serves itself.

package xen

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/conformance"
)

var nextPort atomic.Uint32

func listen(t *testing.T) (transport.Listener, transport.Dialer) {
	port := transport.Port(100 + nextPort.Add(1))
	l, err := Listen(context.Background(), port)
	if err != nil {
		t.Fatal(err)
	}
	return l, atPort{open(t), port}
}

// open opens this domain's vLib OSes until the end of the test.
func open(t *testing.T) *Domain {
	d, err := Open(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// atPort dials always the same port.
type atPort struct {
	d    *Domain
	port transport.Port
}

func (p atPort) Dial(ctx context.Context, o transport.Offer) (transport.ClientEndpoint, error) {
	o.Port = p.port
	return p.d.Dial(ctx, o)
}

func TestConformance(t *testing.T) { conformance.Run(t, listen) }

// The second Dial asks for a control channel, on which all further ones are asked for.
func TestFurtherChannelsHaveNoNodes(t *testing.T) {
	l, dialer := listen(t)
	s := vlibcall.NewServer(l)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	d := dialer.(atPort)
	for opened := 1; opened <= 4; opened++ {
		c, err := vlibcall.Open(ctx, d, vlibcall.Options{Size: 8192})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Call(ctx, "t", "f", nil, nil); !errors.Is(err, vlibcall.ErrNoLibrary) {
			t.Errorf("a call on channel %d: %v", opened, err)
		}
		nodes, err := d.d.store.Directory(ctx, home(0)+serverDir(d.port)+channelsDir)
		if want := min(opened, 2); err != nil || len(nodes) != want {
			t.Errorf("%d channels have the nodes %q, %v, want %d", opened, nodes, err, want)
		}
	}
}

// A server that starts again has other control channels.
func TestRestartedServerIsAskedAnew(t *testing.T) {
	port := transport.Port(100 + nextPort.Add(1))
	d := atPort{open(t), port}
	for range 3 {
		ctx, cancel := context.WithCancel(context.Background())
		l, err := Listen(ctx, port)
		if err != nil {
			t.Fatal(err)
		}
		s, done := vlibcall.NewServer(l), make(chan error)
		go func() { done <- s.Serve(ctx) }()
		for opened := range 4 {
			c, err := vlibcall.Open(ctx, d, vlibcall.Options{Size: 8192})
			if err != nil {
				t.Fatalf("channel %d: %v", opened, err)
			}
			defer c.Close()
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestDialWithoutAServerIsGone(t *testing.T) {
	d := open(t)
	_, err := vlibcall.Open(context.Background(), d, vlibcall.Options{Port: 99, Size: 8192})
	if !errors.Is(err, vlibcall.ErrGone) {
		t.Errorf("no server: %v", err)
	}
}
