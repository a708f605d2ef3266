// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
)

func testBatchesOfEverySize(t *testing.T, listen Listen) {
	l := serve(t, listen)
	for _, inFlight := range []int{1, 2, 4, 8, 16} {
		for _, p := range []vlibcall.WaitPolicy{vlibcall.SpinThenBlock, vlibcall.Block, vlibcall.Spin, vlibcall.BlockCPU} {
			c := open(t, l, vlibcall.Options{Size: 128 << 10, InFlight: inFlight, Wait: p})
			requests := make([]vlibcall.Request, 20)
			for round := range 2 {
				for i := range requests {
					n := []int{0, 1, 24, 40, 41, 64, 100, 600, 3000}[i%9]
					requests[i] = vlibcall.Request{Library: "t", Function: "echo", Input: bytes.Repeat([]byte{byte(i), byte(round)}, n/2)}
				}
				if err := c.Batch(context.Background(), requests); err != nil {
					t.Errorf("%d in flight, %v: %v", inFlight, p, err)
				}
				for i, r := range requests {
					if !bytes.Equal(r.Input, r.Output) {
						t.Errorf("%d in flight, %v: %d bytes came back as %d", inFlight, p, len(r.Input), len(r.Output))
					}
					if i == 0 { // an ordinary call in between
						if _, err := c.Call(context.Background(), "t", "upper", []byte("x"), nil); err != nil {
							t.Error(err)
						}
					}
				}
			}
		}
	}
}

func testBatchThatTimesOutLeavesTheChannelUsable(t *testing.T, listen Listen) {
	c := open(t, serve(t, listen), vlibcall.Options{Size: 8192, InFlight: 4})
	short, stop := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer stop()
	requests := make([]vlibcall.Request, 6)
	for i := range requests {
		requests[i] = vlibcall.Request{Library: "t", Function: "upper", Input: []byte("a")}
	}
	requests[1].Function = "hang"
	if err := c.Batch(short, requests); !errors.Is(err, vlibcall.ErrTimeout) {
		t.Errorf("%v, want a time-out", err)
	}
	for i, r := range requests {
		// On a busy machine the first one may be late, too.
		if i > 0 && !errors.Is(r.Err, vlibcall.ErrTimeout) || r.Err == nil && string(r.Output) != "A" {
			t.Errorf("request %d: %q, %v", i, r.Output, r.Err)
		}
	}
	for i := range 10 {
		if out, err := c.Call(context.Background(), "t", "upper", []byte("x"), nil); err != nil || string(out) != "X" {
			t.Errorf("call %d after it: %q, %v", i, out, err)
		}
	}
	if n := c.LateAnswers(); n == 0 || n > 4 {
		t.Errorf("late answers dropped: %d, want 1 to 4", n)
	}
}
