// SPDX-License-Identifier: Apache-2.0

// Command vliblab runs a command in Dom0 of a real Xen, in QEMU.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	err := run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	if msg := message(err); msg != "" {
		fmt.Fprintln(os.Stderr, msg)
	}
	os.Exit(status(err))
}
