// SPDX-License-Identifier: Apache-2.0

// Command vlib-server makes a domain a vLib OS: it answers calls from Dom0,
// or, without Xen, from other processes of the machine.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	err := run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "vlib-server:", err)
	}
	os.Exit(status(err))
}
