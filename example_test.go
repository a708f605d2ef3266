// SPDX-License-Identifier: Apache-2.0

package vlibos_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/vlibos/vlibos"
	"github.com/vlibos/vlibos/vlibcall"
)

// The C function cos of the domain web, in one line.
func ExampleOpen() {
	ctx := context.Background()
	domain, err := vlibos.Open(ctx, "web")
	if err != nil {
		log.Fatal(err)
	}
	defer domain.Close()
	cos, err := domain.CallC(ctx, "libm.so.6", "cos", "f64(f64)", 0.5)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cos.Value)
	// Output: 0.8775825618903728
}

// A call whose time is over is context.DeadlineExceeded. The domain stays usable.
func ExampleOptions_Open() {
	ctx := context.Background()
	domain, err := vlibos.Options{Size: 1 << 20, Timeout: 100 * time.Millisecond}.Open(ctx, "web")
	if err != nil {
		log.Fatal(err)
	}
	defer domain.Close()
	_, err = domain.CallC(ctx, "libc.so.6", "sleep", "u32(u32)", 30)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

// Strings, buffers that the function fills, and errno.
func ExampleDomain_CallC() {
	ctx := context.Background()
	domain, err := vlibos.Open(ctx, "web")
	if err != nil {
		log.Fatal(err)
	}
	defer domain.Close()
	length, err := domain.CallC(ctx, "libc.so.6", "strlen", "u64(str)", "hello")
	if err != nil {
		log.Fatal(err)
	}
	sorted, err := domain.CallC(ctx, "libc.so.6", "qsort", "void(io,u64,u64,sym)", "b\x00c\x00a\x00", 3, 2, "strcmp")
	if err != nil {
		log.Fatal(err)
	}
	fd, err := domain.CallC(ctx, "libc.so.6", "open", "i32(str,i32)", "/nonexistent", 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(length.Value)
	fmt.Printf("%q\n", sorted.Buffers[0])
	fmt.Println(fd.Value, fd.Errno)
	// Output:
	// 5
	// "a\x00b\x00c\x00"
	// -1 no such file or directory
}

// A function that the domain's own server registers: see NewServer.
func ExampleDomain_Call() {
	ctx := context.Background()
	domain, err := vlibos.Open(ctx, "text")
	if err != nil {
		log.Fatal(err)
	}
	defer domain.Close()
	out, err := domain.Call(ctx, "text", "upper", []byte("hello"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(out))
	// Output: HELLO
}

// Calls that do not block are served in the order in which they were made.
func ExampleDomain_Go() {
	ctx := context.Background()
	domain, err := vlibos.Open(ctx, "text")
	if err != nil {
		log.Fatal(err)
	}
	defer domain.Close()
	first := domain.Go(ctx, "text", "upper", []byte("hello"))
	second := domain.Go(ctx, "text", "upper", []byte("world"))
	for _, pending := range []interface{ Result() ([]byte, error) }{first, second} {
		out, err := pending.Result()
		fmt.Println(string(out), err)
	}
	// Output:
	// HELLO <nil>
	// WORLD <nil>
}

// Several calls with one notification: up to four are in the channel at a time.
func ExampleDomain_Batch() {
	ctx := context.Background()
	domain, err := vlibos.Options{InFlight: 4}.Open(ctx, "text")
	if err != nil {
		log.Fatal(err)
	}
	defer domain.Close()
	requests := []vlibcall.Request{
		{Library: "text", Function: "upper", Input: []byte("hello")},
		{Library: "text", Function: "upper", Input: []byte("world")},
		{Library: "text", Function: "lower"},
	}
	if err := domain.Batch(ctx, requests); err != nil {
		fmt.Println("first error:", err)
	}
	for _, r := range requests {
		fmt.Println(string(r.Output), r.Err == nil)
	}
	// Output:
	// first error: domain text: call text:lower: no such function: lower in text
	// HELLO true
	// WORLD true
	//  false
}

// Many calls of one function: neither side sleeps between them.
func ExampleDomain_Session() {
	ctx := context.Background()
	domain, err := vlibos.Open(ctx, "text")
	if err != nil {
		log.Fatal(err)
	}
	defer domain.Close()
	session, err := domain.Session(ctx, "text", "upper")
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	var out []byte // its memory is used again
	for _, word := range []string{"hello", "world"} {
		if out, err = session.Call(ctx, []byte(word), out); err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(out))
	}
	// Output:
	// HELLO
	// WORLD
}

// A server in a guest (without Xen, in a process of this machine), and a call of
// its function.
func ExampleNewServer() {
	ctx, stop := context.WithCancel(context.Background())
	server, err := vlibos.NewServer(ctx, vlibos.ServerOptions{Name: "shouter"})
	if err != nil {
		log.Fatal(err)
	}
	server.HandleFunc("text", "upper", func(ctx context.Context, input []byte) ([]byte, error) {
		if len(input) == 0 {
			return nil, errors.New("nothing to shout")
		}
		return bytes.ToUpper(input), nil
	})
	served := make(chan error)
	go func() { served <- server.Serve(ctx) }()

	domain, err := vlibos.Open(ctx, "shouter")
	if err != nil {
		log.Fatal(err)
	}
	out, err := domain.Call(ctx, "text", "upper", []byte("hello"))
	fmt.Println(string(out), err)
	_, err = domain.Call(ctx, "text", "upper", nil)
	fmt.Println(err)
	domain.Close()
	stop()
	fmt.Println(<-served)
	// Output:
	// HELLO <nil>
	// domain shouter: call text:upper: nothing to shout
	// <nil>
}

// Ten milliseconds of CPU time in every hundred, for this process and for what the
// domain web executes for its calls.
func ExampleReserve() {
	ctx := context.Background()
	reservation, err := vlibos.Reserve(ctx, vlibos.ReserveOptions{
		Budget: 10 * time.Millisecond, Period: 100 * time.Millisecond, Calls: []string{"web"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer reservation.Close()
	domain, err := vlibos.Options{Reservation: reservation.Number()}.Open(ctx, "web")
	if err != nil {
		log.Fatal(err)
	}
	defer domain.Close()
	cos, err := domain.CallC(ctx, "libm.so.6", "cos", "f64(f64)", 0.5)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cos.Value)
}
