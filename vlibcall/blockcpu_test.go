// SPDX-License-Identifier: Apache-2.0

package vlibcall_test

import (
	"context"
	"testing"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// patient is a bank whose Begin waits for the answer, at times not long enough.
type patient struct{ *bank }

type waiting struct {
	paying
	begun *int
}

func (p patient) Dial(ctx context.Context, o transport.Offer) (transport.ClientEndpoint, error) {
	if !o.BlockCPU {
		panic("the offer does not ask for a wait of the vCPU")
	}
	ep, err := p.bank.Dial(ctx, o)
	if err != nil {
		return nil, err
	}
	return waiting{ep.(paying), new(int)}, nil
}

func (w waiting) Payment() transport.Payment { return w }

func (w waiting) Begin(request uint64, timeout time.Duration) error {
	err := w.paying.Begin(request, timeout)
	if *w.begun++; *w.begun%2 == 0 {
		time.Sleep(time.Millisecond)
	}
	return err
}

// A call that blocks its vCPU has its answer, whether it came while Begin waited or later.
func TestBlockedCPUIsAnsweredDuringBeginOrLater(t *testing.T) {
	b := &bank{Dialer: serving(t)}
	c, err := vlibcall.Open(t.Context(), patient{b}, vlibcall.Options{Size: 8192, Wait: vlibcall.BlockCPU, Reservation: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range 400 {
		if out, err := c.Call(t.Context(), "t", "echo", []byte("x"), nil); err != nil || string(out) != "x" {
			t.Fatalf("call %d: %q, %v", i, out, err)
		}
	}
	// One that takes longer than Begin waits, beside others.
	slow := c.Go(t.Context(), "t", "sleep", nil, nil)
	for range 10 {
		if _, err := c.Call(t.Context(), "t", "echo", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := slow.Result(); err != nil {
		t.Error(err)
	}
}
