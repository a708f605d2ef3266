// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"testing"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
)

// Both sides decide to sleep at about the moment at which the other's message
// arrives: no wake-up is lost. This holds under the race detector, too, where
// atomic stores are not enough; see transport.Header.
func TestNoWakeupIsLost(t *testing.T) {
	dir := t.TempDir()
	l, err := Listen(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	s := vlibcall.NewServer(l)
	s.Linger = 20 * time.Microsecond
	s.Handle("t", "work", func(c *vlibcall.Call) error {
		spend(time.Duration(c.Input()[0]) * 100 * time.Nanosecond)
		return nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	const spin = 20 * time.Microsecond
	c, err := vlibcall.Open(ctx, Domain(dir), vlibcall.Options{Size: 8192, MaxSpin: spin, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for begun, n := time.Now(), 0; time.Since(begun) < 3*time.Second; n++ {
		if _, err := c.Call(ctx, "t", "work", []byte{byte(n)}, nil); err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
		spend(time.Duration(n%251) * 100 * time.Nanosecond)
	}
	c.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// spend spins for a short time here, up to 25 µs.
func spend(d time.Duration) {
	for begun := time.Now(); time.Since(begun) < d; {
	}
}
