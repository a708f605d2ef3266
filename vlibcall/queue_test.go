// SPDX-License-Identifier: Apache-2.0

package vlibcall_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
)

// crowd is so many that they would outlast the test's patience if each waited for
// the time-outs of those before it.
const crowd = 100

// What a call waits for before it is sent counts against its time.
func TestTimeoutBoundsTheWaitForATurn(t *testing.T) {
	ctx := context.Background()
	type call func(*vlibcall.Channel) error
	ordinary := func(c *vlibcall.Channel) error { _, err := c.Call(ctx, "t", "hang", nil, nil); return err }
	reported := func(c *vlibcall.Channel) error { _, _, err := c.CallReceipt(ctx, "t", "hang", nil, nil); return err }
	later := func(c *vlibcall.Channel) error { _, err := c.Go(ctx, "t", "hang", nil, nil).Result(); return err }
	several := func(c *vlibcall.Channel) error {
		return c.Batch(ctx, []vlibcall.Request{{Library: "t", Function: "hang"}, {Library: "t", Function: "echo"}})
	}
	for _, inFlight := range []int{1, 2, 16} {
		t.Run(fmt.Sprintf("%d in flight", inFlight), func(t *testing.T) {
			d, _, let := stuckServer(t)
			defer close(let)
			c, err := vlibcall.Open(ctx, d, vlibcall.Options{Size: 8192, InFlight: inFlight, Timeout: 400 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			waiters := []call{ordinary, reported, later, several}
			timeOut(t, func(i int) error { return waiters[i%len(waiters)](c) })
		})
	}
	t.Run("behind slow calls of a session", func(t *testing.T) {
		d, _, let := stuckServer(t)
		defer close(let)
		c, err := vlibcall.Open(ctx, d, vlibcall.Options{Size: 8192, Timeout: 400 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := c.Session(ctx, "t", "hang")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		timeOut(t, func(int) error { _, err := s.Call(ctx, nil, nil); return err })
	})
}

// timeOut makes a crowd of calls at the same time.
func timeOut(t *testing.T, call func(i int) error) {
	t.Helper()
	results := make(chan error, crowd)
	for i := range crowd {
		go func() { results <- call(i) }()
	}
	for range crowd {
		err := ends(t, "a call whose time is over", func() error { return <-results })
		if !errors.Is(err, vlibcall.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v, want a time-out", err)
		}
	}
}
