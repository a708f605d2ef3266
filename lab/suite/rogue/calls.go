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
	{name: "unknown number", serve: replies(func(id uint64) uint64 { return id + 1000 }, 0)},
	{name: "number of the next question", serve: replies(func(id uint64) uint64 { return id + 1 }, 0)},
	{name: "stale number", serve: func(_ context.Context, c *channel) {
		c.calls(func(id uint64) {
			if id == 1 {
				c.ok(id)
			} else {
				c.reply(id, 0, 0)
			}
		})
	}},
	{name: "repeated number", serve: func(_ context.Context, c *channel) {
		c.calls(func(id uint64) { c.reply(id, 1, memory.ShapeOf(2, 0, 0)) })
	}},
	{name: "answer without a question", serve: func(_ context.Context, c *channel) {
		c.calls(func(id uint64) {
			c.ok(id)
			for c.page().Asked(0) != id+1 && !c.left() {
				c.reply(id, id+1, 0)
				c.pause()
			}
		})
	}},
	{name: "slot taken away", serve: func(_ context.Context, c *channel) {
		c.calls(func(id uint64) {
			c.page().Word(memory.Slot(0) + memory.Turn).Store(uint64(transport.TurnOf(id, transport.GivenUp)))
			c.notify()
		})
	}},
	{name: "output longer than the slot", serve: replies(same, memory.ShapeOf(transport.SlotSize+1, 0, 0))},
	{name: "output longer than the header page", serve: replies(same, memory.ShapeOf(transport.NearSize+1, 0, memory.FlagNear))},
	{name: "output longer than the channel", serve: replies(same, memory.ShapeOf(1<<32-1, 0, memory.FlagData))},
	{name: "output in two places", serve: replies(same, memory.ShapeOf(2, 0, memory.FlagNear|memory.FlagData))},
	{name: "unknown status", serve: replies(same, memory.ShapeOf(0, 4711, 0))},
	{name: "error text with escapes", serve: func(_ context.Context, c *channel) {
		c.calls(func(id uint64) {
			const text = "\x1b]0;owned\x07\x9b2J\xc2\x9b31m\r\x00"
			c.page().Answer(0, id, memory.ShapeOf(uint32(len(text)), uint16(vlibcall.StatusFailed), 0), text)
			c.notify()
		})
	}},
	{name: "answer scribbled on", serve: func(_ context.Context, c *channel) { c.scribble() }},
	{name: "random bytes in all that is the server's", serve: func(_ context.Context, c *channel) { c.noise() }},
	{name: "never answers", serve: func(_ context.Context, c *channel) { c.calls(func(uint64) {}) }},
	{name: "event storm", serve: func(_ context.Context, c *channel) {
		for !c.left() {
			c.notify()
		}
	}},
	{name: "event storm, with answers", serve: func(_ context.Context, c *channel) {
		for !c.left() {
			if id := c.page().Asked(0); id != 0 {
				c.ok(id)
			}
			c.notify()
		}
	}},
	{name: "alive byte cleared", serve: func(_ context.Context, c *channel) {
		c.calls(func(uint64) {
			c.page().Word(memory.ServerWord).Store(0)
			c.notify()
		})
	}},
	{name: "answer's node removed in mid-call", serve: func(ctx context.Context, c *channel) {
		c.calls(func(uint64) { c.store.Remove(ctx, c.dir+"/channel/"+c.id) })
	}},
	{name: "pages revoked in mid-call", serve: func(ctx context.Context, c *channel) {
		for !c.left() && c.page().Asked(0) == 0 {
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

	{name: "batch: one answered twice", serve: func(_ context.Context, c *channel) {
		c.calls(func(id uint64) {
			c.ok(id)
			if id == 1 {
				return
			}
			c.reply(id-1, id-1, memory.ShapeOf(2, 0, 0))
			c.reply(id-1, id, memory.ShapeOf(2, 0, 0))
		})
	}},
	{name: "batch: one never answered", serve: func(_ context.Context, c *channel) {
		c.calls(func(id uint64) {
			if id != 2 {
				c.ok(id)
			}
		})
	}},
	{name: "batch: answers to nothing", serve: func(_ context.Context, c *channel) {
		c.calls(func(id uint64) { c.reply(id, id+batch, 0) })
	}},
	{name: "batch: slots beyond those agreed on", serve: func(_ context.Context, c *channel) {
		c.calls(func(id uint64) {
			c.page().Answer(int(id-1)%batch+batch, id, 0, "no") // none looks there
			c.ok(id)
		})
	}},
	{name: "batch: in the other order", serve: func(_ context.Context, c *channel) {
		c.calls(func(id uint64) {
			if id%batch == 0 {
				for back := range uint64(batch) {
					c.ok(id - back)
				}
			}
		})
	}},
	{name: "batch: scribbled on", serve: func(_ context.Context, c *channel) { c.scribble() }},
}

// batch is how many requests the clients of such misdeeds have in flight.
const batch = 4

func same(id uint64) uint64 { return id }

func replies(id func(uint64) uint64, shape uint64) func(context.Context, *channel) {
	return func(_ context.Context, c *channel) { c.calls(func(asked uint64) { c.reply(asked, id(asked), shape) }) }
}

// fill makes every word of the directory the same reference, including that of the
// directory's next page.
func (c *channel) fill(ref uint32) {
	for i := range pageSize / 4 {
		c.setRef(i, ref)
	}
}

// scribble changes answers between valid and invalid as fast as it can.
func (c *channel) scribble() {
	p := c.page()
	shapes := []uint64{
		memory.ShapeOf(2, 0, 0), memory.ShapeOf(1<<32-1, 0, 0), memory.ShapeOf(1<<31, 0, memory.FlagData),
		memory.ShapeOf(100, 3, memory.FlagNear), memory.ShapeOf(40, 0xffff, 0), 1<<64 - 1, 0,
	}
	for i := 0; i%1000 != 0 || !c.left(); i++ {
		for slot := range batch {
			at := memory.Slot(slot)
			p.Word(at + memory.Shape).Store(shapes[i%len(shapes)])
			if id := p.Asked(slot); id != 0 && i%10 < 5 {
				p.Word(at + memory.Turn).Store(uint64(transport.TurnOf(id, transport.Answered)))
			}
		}
		if i%100 == 0 {
			c.notify()
		}
	}
}

// noise fills all that the server may write with random bytes. The turn is right at
// times: otherwise the client would give up at its first look.
func (c *channel) noise() {
	p := c.page()
	c.attached()
	slot := memory.Slot(0)
	for i := 0; i%1000 != 0 || !c.left(); i++ {
		for at := 0; at < 0x80; at += 8 {
			p.Word(at).Store(rand.Uint64())
		}
		for at := slot + memory.Shape; at < slot+transport.Line; at += 8 {
			p.Word(at).Store(rand.Uint64())
		}
		for at := memory.Near; at < pageSize; at += 8 {
			p.Word(at).Store(rand.Uint64())
		}
		p.Word(memory.ServerWord).Store(rand.Uint64() | 1)
		if id := p.Asked(0); id != 0 {
			p.Word(slot + memory.Turn).Store(uint64(transport.TurnOf(id, transport.Answered)))
		}
		if i%1000 == 999 {
			p.Word(slot + memory.Turn).Store(rand.Uint64())
		}
		c.notify()
	}
}
