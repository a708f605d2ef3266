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

func TestDialWithoutAServerIsGone(t *testing.T) {
	d := open(t)
	_, err := vlibcall.Open(context.Background(), d, vlibcall.Options{Port: 99, Size: 8192})
	if !errors.Is(err, vlibcall.ErrGone) {
		t.Errorf("no server: %v", err)
	}
}
