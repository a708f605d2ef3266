// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"

	"github.com/vlibos/vlibos/grant"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/xenctl/xenstore"
)

// guest has what the misdeeds share.
type guest struct {
	store    *xenstore.Client
	alloc    *grant.Allocator
	channels atomic.Int64
}

func openGuest(ctx context.Context) (*guest, error) {
	store, err := xenstore.Open(ctx)
	if err != nil {
		return nil, err
	}
	alloc, err := grant.OpenAllocator()
	if err != nil {
		return nil, err
	}
	return &guest{store: store, alloc: alloc}, nil
}

// serve answers every request for a channel on one port with its misdeed.
func (g *guest) serve(ctx context.Context, port uint32, d misdeed, ready chan<- struct{}) error {
	dir := fmt.Sprintf("data/vlibos/%d", port)
	if err := g.store.Remove(ctx, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := g.store.Mkdir(ctx, dir+"/channel"); err != nil {
		return err
	}
	w, err := g.store.Watch(ctx, dir+"/channel")
	if err != nil {
		return err
	}
	greeting := d.greeting
	if greeting == "" {
		greeting = fmt.Sprintf("revision=%d max=%d", transport.Revision, transport.MaxSize)
	}
	if err := g.store.Write(ctx, dir+"/server", []byte(greeting)); err != nil {
		return err
	}
	ready <- struct{}{}
	asked := make(map[string]chan struct{}) // closed when the request is withdrawn
	for {
		ev, err := w.Next(ctx)
		if err != nil {
			return err
		}
		id, ok := strings.CutPrefix(ev.Path, dir+"/channel/")
		if !ok || strings.Contains(id, "/") {
			continue
		}
		_, err = g.store.Read(ctx, ev.Path)
		gone, known := asked[id]
		switch {
		case err != nil && known:
			close(gone)
			delete(asked, id)
		case err == nil && !known:
			gone = make(chan struct{})
			asked[id] = gone
			c := &channel{guest: g, dir: dir, id: id, gone: gone}
			var number uint64
			var revision uint32
			if _, err := fmt.Sscanf(id, "%x-%d-%d-%d", &number, &revision, &c.size, &c.generation); err != nil {
				continue // the suite's own junk
			}
			g.channels.Add(1)
			go func() {
				defer g.channels.Add(-1)
				c.misbehave(ctx, d)
			}()
		}
	}
}
