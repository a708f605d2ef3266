// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"testing"

	"github.com/vlibos/vlibos/vlibcall"
)

// A pool whose server has been restarted uses no channel of the old one.
func TestPoolOpensAChannelToTheNewServer(t *testing.T) {
	dir := t.TempDir()
	p := vlibcall.NewPool(Domain(dir), vlibcall.Options{Size: 8192}, vlibcall.PoolOptions{})
	defer p.Close()
	for range 50 {
		l, err := Listen(dir, 1)
		if err != nil {
			t.Fatal(err)
		}
		s := vlibcall.NewServer(l)
		s.Handle("t", "echo", func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Serve(ctx) }()
		if out, err := p.Call(t.Context(), "t", "echo", []byte("x"), nil); err != nil || string(out) != "x" {
			t.Errorf("%q, %v", out, err)
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}
