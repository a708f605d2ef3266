// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "rogue:", err)
		os.Exit(1)
	}
}

// run serves all ports until one of them fails.
func run(ctx context.Context) error {
	// A misdeed that spins must compete with the honest server for the guest's vCPU
	// only, not for Go's threads.
	runtime.GOMAXPROCS(8)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var ports sync.WaitGroup
	g, err := openGuest(ctx)
	if err != nil {
		return err
	}
	ready := make(chan struct{})
	for i, d := range misdeeds {
		ports.Go(func() { cancel(g.serve(ctx, firstDeed+uint32(i), d, ready)) })
	}
	for range misdeeds {
		select {
		case <-ready:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	// Last: the lab takes port 1 as the announcement that the domain can be called.
	ports.Go(func() { cancel(serveHonest(ctx, g)) })
	ports.Wait()
	return context.Cause(ctx)
}
