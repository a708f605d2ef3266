// SPDX-License-Identifier: Apache-2.0

package domuserver_test

import (
	"context"
	"fmt"
	"log"
	"os"

	domuserver "github.com/vlibos/vlibos/domu-server"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

// A vLib OS with a function in Go. In a guest, use xen.Listen instead of
// native.Listen.
func ExampleServer_Handle() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := native.Listen(dir, 1)
	if err != nil {
		log.Fatal(err)
	}

	s := domuserver.New(l, domuserver.Options{})
	s.Handle("greet", "hello", func(c *vlibcall.Call) error { return c.Reply(append([]byte("hello, "), c.Input()...)) })
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()

	c, err := vlibcall.Open(ctx, native.Domain(dir), vlibcall.Options{Size: 8192})
	if err != nil {
		log.Fatal(err)
	}
	out, err := c.Call(ctx, "greet", "hello", []byte("Dom0"), nil)
	fmt.Printf("%s %v\n", out, err)
	c.Close()
	stop()
	fmt.Println(<-done)
	// Output:
	// hello, Dom0 <nil>
	// <nil>
}
