// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
)

// callMisdeeds are those after which the channel can be opened.
var callMisdeeds = []misdeed{
	{name: "directory of nothing", directory: func(c *channel) {
		for i := range c.size/pageSize - 1 {
			c.setRef(i, 1<<32-1-uint32(i))
		}
	}},
	{name: "directory with one wrong reference", directory: func(c *channel) { c.setRef(c.size/pageSize-2, 1<<32-1) }},
	{name: "directory that loops", pages: 2, directory: func(c *channel) { c.fill(c.pages.Refs()[1]) }},
	{name: "directory of the header page", pages: 2, directory: func(c *channel) { c.fill(c.pages.Refs()[0]) }},

	{name: "header changed after it was verified", serve: func(_ context.Context, c *channel) {
		c.attached()
		c.calls(func(id uint64) {
			for i := 0; i < 0x80; i += 8 {
				c.page().Word(i).Store(rand.Uint64())
			}
			c.ok(id)
		})
	}},
	{name: "unknown id", serve: replies(func(id uint64) uint64 { return id + 1000 }, 0)},
	{name: "id of the next question", serve: replies(func(id uint64) uint64 { return id + 1 }, 0)},
	{name: "stale id", serve: func(_ context.Context, c *channel) {
		c.calls(func(id uint64) {
			if id == 1 {
				c.ok(id)
			} else {
				c.reply(0, 0)
			}
		})
	}},
	{name: "repeated id", serve: func(_ context.Context, c *channel) { c.calls(func(uint64) { c.ok(1) }) }},
	{name: "answer without a question", serve: func(_ context.Context, c *channel) {
		c.calls(func(id uint64) {
			c.ok(id)
			for c.page().Word(memory.RequestID).Load() == id && !c.left() {
				c.reply(id+1, 0)
				c.pause()
			}
		})
	}},
	{name: "output longer than the header page", serve: replies(same, memory.ReplyShapeOf(transport.InlineSize+1, 0, true))},
	{name: "output longer than the channel", serve: replies(same, memory.ReplyShapeOf(1<<32-1, 0, false))},
	{name: "unknown status", serve: replies(same, memory.ReplyShapeOf(0, 4711, true))},
	{name: "error text with escapes", serve: func(_ context.Context, c *channel) {
		c.calls(func(id uint64) {
			n := copy(c.page()[memory.ReplyInline:], "\x1b]0;owned\x07\x9b2J\xc2\x9b31m\r\x00")
			c.reply(id, memory.ReplyShapeOf(uint32(n), uint16(vlibcall.StatusFailed), true))
		})
	}},
	{name: "reply scribbled on", serve: func(_ context.Context, c *channel) { c.scribble() }},
	{name: "random bytes in all that is the server's", serve: func(_ context.Context, c *channel) { c.noise() }},
	{name: "never answers", serve: func(_ context.Context, c *channel) { c.calls(func(uint64) {}) }},
	{name: "event storm", serve: func(_ context.Context, c *channel) {
		for !c.left() {
			c.notify()
		}
	}},
	{name: "event storm, with answers", serve: func(_ context.Context, c *channel) {
		for !c.left() {
			if id := c.page().Word(memory.RequestID).Load(); id != c.page().Word(memory.ReplyID).Load() {
				c.ok(id)
			}
			c.notify()
		}
	}},
	{name: "alive byte cleared", serve: func(_ context.Context, c *channel) {
		c.calls(func(uint64) {
			c.page().Word(transport.ServerAlive).Store(0)
			c.notify()
		})
	}},
	{name: "answer's node removed in mid-call", serve: func(ctx context.Context, c *channel) {
		c.calls(func(uint64) { c.store.Remove(ctx, c.dir+"/channel/"+c.id) })
	}},
	{name: "pages revoked in mid-call", serve: func(ctx context.Context, c *channel) {
		for !c.left() && c.page().Word(memory.RequestID).Load() == 0 {
			c.pause()
		}
		c.pages.Free()
		c.events.Close()
		c.pages, c.events = nil, nil
		// The nodes stay longer than the client calls, and contain nothing.
		select {
		case <-c.gone:
		case <-ctx.Done():
		case <-time.After(5 * time.Second):
		}
	}},
	{name: "nodes without end", serve: func(ctx context.Context, c *channel) {
		flood := make(chan struct{})
		go func() {
			defer close(flood)
			for i := 0; ; i++ {
				select {
				case <-c.gone:
					return
				case <-ctx.Done():
					return
				default:
				}
				if c.store.Write(ctx, fmt.Sprintf("%s/channel/%016x/%d", c.dir, rand.Uint32N(20), i%10), nil) != nil || i == 100 {
					return
				}
			}
		}()
		c.calls(func(id uint64) { c.ok(id) })
		<-flood
		c.store.Remove(ctx, c.dir+"/channel")
	}},
}

func same(id uint64) uint64 { return id }

func replies(id func(uint64) uint64, shape uint64) func(context.Context, *channel) {
	return func(_ context.Context, c *channel) { c.calls(func(asked uint64) { c.reply(id(asked), shape) }) }
}

// fill makes every word of the directory the same reference, including that of the
// directory's next page.
func (c *channel) fill(ref uint32) {
	for i := range pageSize / 4 {
		c.setRef(i, ref)
	}
}

// scribble changes the reply between valid and invalid as fast as it can.
func (c *channel) scribble() {
	p := c.page()
	shapes := []uint64{
		memory.ReplyShapeOf(2, 0, true), memory.ReplyShapeOf(1<<32-1, 0, true), memory.ReplyShapeOf(1<<31, 0, false),
		memory.ReplyShapeOf(100, 3, false), memory.ReplyShapeOf(992, 0xffff, true), 1<<64 - 1, 0,
	}
	for i := 0; i%1000 != 0 || !c.left(); i++ {
		p.Word(memory.ReplyShape).Store(shapes[i%len(shapes)])
		p.Word(memory.ReplyID).Store(p.Word(memory.RequestID).Load() - uint64(i/5%2))
		if i%100 == 0 {
			c.notify()
		}
	}
}

// noise fills the identity and the reply with random bytes. The reply's id is right at
// times: otherwise the client would give up at its first look.
func (c *channel) noise() {
	p := c.page()
	c.attached()
	for i := 0; i%1000 != 0 || !c.left(); i++ {
		for at := 0; at < 0x80; at += 8 {
			p.Word(at).Store(rand.Uint64())
		}
		for at := memory.ReplyShape; at < 0x880; at += 8 {
			p.Word(at).Store(rand.Uint64())
		}
		p.Word(memory.ReplyID).Store(p.Word(memory.RequestID).Load())
		if i%1000 == 999 {
			p.Word(memory.ReplyID).Store(rand.Uint64())
		}
		c.notify()
	}
}
