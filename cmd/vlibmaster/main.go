// SPDX-License-Identifier: Apache-2.0

// Command vlibmaster calls library functions in domains, and serves as a host's
// master, which keeps domains within their reservations.
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
	if err != nil {
		fmt.Fprintln(os.Stderr, message(err))
	}
	os.Exit(exitCode(err))
}
