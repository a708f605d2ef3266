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
	"github.com/vlibos/vlibos/vlibcall/vlibtest"
)

var nextPort atomic.Uint32

func listen(t *testing.T) (vlibcall.Listener, vlibcall.Dialer) {
	port := 100 + nextPort.Add(1)
	l, err := Listen(context.Background(), port)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, atPort{d, port}
}

// atPort dials always the same port.
type atPort struct {
	d    *Domain
	port uint32
}

func (p atPort) Dial(ctx context.Context, o vlibcall.Offer) (vlibcall.ClientEndpoint, error) {
	o.Port = p.port
	return p.d.Dial(ctx, o)
}

func TestConformance(t *testing.T) { vlibtest.Conformance(t, listen) }

func TestNobodyThere(t *testing.T) {
	d, err := Open(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, err = vlibcall.Open(context.Background(), d, 99, 8192, vlibcall.Options{})
	if !errors.Is(err, vlibcall.ErrGone) {
		t.Errorf("no server: %v", err)
	}
}
