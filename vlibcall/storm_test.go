// SPDX-License-Identifier: Apache-2.0

package vlibcall_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// storm is an endpoint whose event is always pending: its Wait never reaches
// the deadline.
type storm struct{ transport.ClientEndpoint }

func (storm) Wait(time.Time) error {
	runtime.Gosched()
	return nil
}

type stormDialer struct{ transport.Dialer }

func (d stormDialer) Dial(ctx context.Context, o transport.Offer) (transport.ClientEndpoint, error) {
	ep, err := d.Dialer.Dial(ctx, o)
	return storm{ep}, err
}

// Endless events do not delay a caller's timeout.
func TestEndlessEventsDoNotDelayTheTimeout(t *testing.T) {
	for _, wait := range []vlibcall.WaitPolicy{vlibcall.SpinThenBlock, vlibcall.Block} {
		c, err := vlibcall.Open(context.Background(), stormDialer{newRogue()}, vlibcall.Options{Size: 8192, Wait: wait, Timeout: 30 * time.Millisecond})
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
			t.Errorf("%v: the call does not end", wait)
			c.Close()
			<-result
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}
