// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/vlibos/vlibos/evtchn"
	"github.com/vlibos/vlibos/grant"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
)

const pageSize = 4096

// channel is a channel that Dom0 has requested. One goroutine uses it.
type channel struct {
	*guest
	dir, id    string
	size       int
	generation uint64
	gone       <-chan struct{} // the request was withdrawn

	made   time.Time
	pages  *grant.Pages
	events *evtchn.Handle
	port   evtchn.Port
}

// misbehave makes the channel with the misdeed's fault, and removes it when its client has
// left.
func (c *channel) misbehave(ctx context.Context, d misdeed) {
	defer c.free()
	c.made = time.Now()
	if err := c.make(d); err != nil {
		fmt.Fprintf(os.Stderr, "rogue: %s: %v\n", d.name, err)
		return
	}
	if d.header != nil {
		d.header(c.page())
	}
	if d.directory != nil {
		d.directory(c)
	}
	text := fmt.Sprintf("header=%d directory=%d port=%d", c.pages.Refs()[0], c.pages.Refs()[1], c.port)
	if d.answer != nil {
		text = d.answer(ctx, c)
	}
	if text != "" {
		if err := c.write(ctx, text); err != nil {
			fmt.Fprintf(os.Stderr, "rogue: %s: %v\n", d.name, err)
		}
	}
	if d.serve != nil {
		d.serve(ctx, c)
	} else {
		c.calls(func(id uint64) { c.ok(id) })
	}
	// Wait until the client has left, if serve did not.
	c.calls(func(uint64) {})
}

// make allocates a channel that is still correct.
func (c *channel) make(d misdeed) (err error) {
	pages := c.size / pageSize
	if d.pages != 0 {
		pages = d.pages
	}
	if c.pages, err = c.alloc.Alloc(d.grantee, pages, !d.readOnly); err != nil {
		return err
	}
	if err := transport.Format(c.page(), c.size, c.generation); err != nil {
		return err
	}
	for i, ref := range c.pages.Refs()[1:] {
		c.setRef(i, ref)
	}
	if c.events, err = evtchn.Open(); err != nil {
		return err
	}
	c.port, err = c.events.BindUnbound(d.listener)
	return err
}

func (c *channel) page() memory.Page { return c.pages.Bytes()[:pageSize:pageSize] }

// setRef changes a word of the directory.
func (c *channel) setRef(i int, ref uint32) {
	binary.LittleEndian.PutUint32(c.pages.Bytes()[pageSize+4*i:], ref)
}

// answer is the node of the channel's answer. The name of the request is c.id.
func (c *channel) answer() string { return c.dir + "/channel/" + c.id + "/answer" }

func (c *channel) write(ctx context.Context, text string) error {
	return c.store.Write(ctx, c.answer(), []byte(text))
}

// attachTimeout is how long a client may take until it has verified the header. A client
// that mapped another page than this channel's header leaves no other trace.
const attachTimeout = 15 * time.Second

// left reports whether the client withdrew its request, has unmapped the channel, or never
// attached.
func (c *channel) left() bool {
	select {
	case <-c.gone:
		return true
	default:
	}
	if c.pages == nil || c.pages.Bytes() == nil {
		return true
	}
	return transport.ClientLeft(c.page()) || !transport.ClientCame(c.page()) && time.Since(c.made) > attachTimeout
}

// calls calls f for each request, in their order, until the client has left.
func (c *channel) calls(f func(id uint64)) {
	for id := uint64(1); !c.left(); {
		if c.page().Asked(c.slot(id)) == id {
			f(id)
			id++
			continue
		}
		c.pause()
	}
}

// slot is where the client has put a request.
func (c *channel) slot(id uint64) int {
	inFlight := c.page().Word(memory.ClientWord).Load() >> 32
	return int((id - 1) % max(inFlight, 1) % transport.MaxInFlight)
}

// pause waits for an event of the client, or for a short time.
func (c *channel) pause() {
	port, err := c.events.WaitUntil(time.Now().Add(20 * time.Millisecond))
	if err == nil {
		err = c.events.Unmask(port)
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		time.Sleep(20 * time.Millisecond)
	}
}

// attached waits until the client has verified the header.
func (c *channel) attached() {
	for !c.left() && !transport.ClientCame(c.page()) {
		c.pause()
	}
}

// ok answers as an honest server does.
func (c *channel) ok(id uint64) { c.reply(id, id, memory.ShapeOf(2, 0, 0)) }

// reply answers request id as if it had another number.
func (c *channel) reply(id, number, shape uint64) {
	c.page().Answer(c.slot(id), number, shape, "ok")
	c.notify()
}

func (c *channel) notify() { c.events.Notify(c.port) }

// free frees everything. It ignores errors: much may be freed already.
func (c *channel) free() {
	if c.pages != nil {
		c.pages.Free()
	}
	if c.events != nil {
		c.events.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c.store.Remove(ctx, c.dir+"/channel/"+c.id)
}
