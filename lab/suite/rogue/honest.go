// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"runtime"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport/xen"
)

// usage has the resources of the guest program, as its function "usage" reports them.
type usage struct {
	Channels    int64 // of misdeeds
	Descriptors int
	Mappings    int // of pages that it grants
	Goroutines  int
}

// serveHonest serves port 1 correctly.
func serveHonest(ctx context.Context, g *guest) error {
	l, err := xen.Listen(ctx, 1)
	if err != nil {
		return err
	}
	s := vlibcall.NewServer(l)
	s.Handle("t", "echo", func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
	s.Handle("t", "sleep", func(c *vlibcall.Call) error {
		d, err := time.ParseDuration(string(c.Input()))
		if err != nil {
			return err
		}
		select {
		case <-time.After(d):
			return nil
		case <-c.Context(ctx).Done():
			return vlibcall.ErrCancelled
		}
	})
	s.Handle("t", "exit", func(*vlibcall.Call) error {
		os.Exit(3)
		return nil
	})
	s.Handle("t", "usage", func(c *vlibcall.Call) error {
		u, err := g.usage()
		if err != nil {
			return err
		}
		text, err := json.Marshal(u)
		if err != nil {
			return err
		}
		return c.Reply(text)
	})
	return s.Serve(ctx)
}

func (g *guest) usage() (usage, error) {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return usage{}, err
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return usage{}, err
	}
	return usage{
		Channels: g.channels.Load(), Descriptors: len(fds),
		Mappings: bytes.Count(maps, []byte("/dev/xen/gntalloc")), Goroutines: runtime.NumGoroutine(),
	}, nil
}
