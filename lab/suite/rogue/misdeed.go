// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
)

// firstDeed is the port of the first misdeed; the others follow.
const firstDeed = 100

// misdeed is one way to break the rules. What it does not specify is done correctly.
type misdeed struct {
	name     string
	greeting string // contents of the server's node
	pages    int    // of the channel, instead of what was requested
	readOnly bool   // grants are read-only
	grantee  uint16 // domain that may map the pages
	listener uint16 // domain that may bind the event channel

	header    func(p memory.Page)                          // damages the new header page
	directory func(c *channel)                             // damages the directory
	answer    func(ctx context.Context, c *channel) string // text of the answer; "" for none
	serve     func(ctx context.Context, c *channel)        // runs until the client has left
}

// stranger is the number of a domain that does not exist.
const stranger = 77

var misdeeds = append([]misdeed{
	{name: "greeting is garbage", greeting: "\x00\xff\x1b[2Jrevision"},
	{name: "greeting is huge", greeting: strings.Repeat("9", 2000)},
	{name: "greeting of another revision", greeting: "revision=4294967295 max=18446744073709551615"},

	{name: "answer is garbage", answer: text("\x00\x1b]0;x\x07header")},
	{name: "answer is huge", answer: text(strings.Repeat("header=1 ", 220))},
	{name: "answer with a number too large", answer: text("header=1 directory=2 port=18446744073709551616")},
	{name: "no answer", answer: text("")},
	{name: "refusal with escapes", answer: text("error=9 no\x1b[2J\x1b]0;owned\x07\x9b\n" + strings.Repeat("x", 1500))},
	{name: "answer that comes and goes", answer: text(""), serve: flap},
	{name: "request removed", answer: text(""), serve: removeRequest},
	{name: "quota exhausted", answer: exhaust},

	{name: "header reference of nothing", answer: refs(func(c *channel, r *references) { r.header = 1<<32 - 1 })},
	{name: "header reference not granted", answer: refs(func(c *channel, r *references) { r.header += 3000 })},
	{name: "header reference of xenstore's page", answer: refs(func(c *channel, r *references) { r.header = 1 })},
	{name: "header revoked before it is mapped", answer: revoked},
	{name: "header granted to another domain", grantee: stranger},
	{name: "header granted for reading", readOnly: true},
	{name: "directory reference of nothing", answer: refs(func(c *channel, r *references) { r.directory = 1<<32 - 1 })},
	{name: "event channel that does not exist", answer: refs(func(c *channel, r *references) { r.port = 4000 })},
	{name: "event channel out of range", answer: refs(func(c *channel, r *references) { r.port = 1<<32 - 1 })},
	{name: "event channel of xenstore", answer: refs(func(c *channel, r *references) { r.port = 1 })},
	{name: "event channel for another domain", listener: stranger},

	{name: "wrong magic", header: func(p memory.Page) { p.Word(memory.Magic).Add(1) }},
	{name: "wrong revision", header: func(p memory.Page) { p.Word(memory.RevisionWord).Add(1) }},
	{name: "wrong size", header: func(p memory.Page) { p.Word(memory.Size).Add(pageSize) }},
	{name: "wrong generation", header: func(p memory.Page) { p.Word(memory.Generation).Add(1) }},
	{name: "revision 1", header: func(p memory.Page) { p.Word(memory.RevisionWord).Store(1 | pageSize<<32) }},
	{name: "random header", header: random},
	{name: "answer before any question", header: func(p memory.Page) { p.Answer(0, 1, 0, "") }},
}, callMisdeeds...)

func text(s string) func(context.Context, *channel) string {
	return func(context.Context, *channel) string { return s }
}

// references are the numbers in an answer.
type references struct{ header, directory, port uint32 }

func refs(spoil func(c *channel, r *references)) func(context.Context, *channel) string {
	return func(_ context.Context, c *channel) string {
		r := references{c.pages.Refs()[0], c.pages.Refs()[1], uint32(c.port)}
		spoil(c, &r)
		return fmt.Sprintf("header=%d directory=%d port=%d", r.header, r.directory, r.port)
	}
}

func random(p memory.Page) {
	for i := 0; i < len(p); i += 8 {
		p.Word(i).Store(rand.Uint64())
	}
	p[transport.ClientAlive] = 2 // otherwise the client seems to have left before it attaches
}

func revoked(_ context.Context, c *channel) string {
	r := c.pages.Refs()
	c.pages.Free()
	return fmt.Sprintf("header=%d directory=%d port=%d", r[0], r[1], c.port)
}

// flap writes and removes answers without contents.
func flap(ctx context.Context, c *channel) {
	for !c.left() {
		c.write(ctx, "")
		c.store.Remove(ctx, c.answer())
	}
}

func removeRequest(ctx context.Context, c *channel) {
	c.store.Remove(ctx, c.dir+"/channel/"+c.id)
}

// exhaust writes all nodes that this domain may have, so that the answer cannot be written.
// It uses many directories, because each has a limit. Closing channels free nodes meanwhile,
// so it ends when writing has failed for a while.
func exhaust(ctx context.Context, c *channel) string {
	const junk = "data/junk"
	var err error
	for i, full := 0, 0; full < 5; i++ {
		if err = c.store.Write(ctx, fmt.Sprintf("%s/%d/%d", junk, i%30, i), nil); err != nil {
			full++
			time.Sleep(100 * time.Millisecond)
		} else {
			full = 0
		}
	}
	if c.write(ctx, "header=1 directory=2 port=3") == nil {
		fmt.Fprintln(os.Stderr, "rogue: quota exhausted: the answer was written after", err)
	}
	<-c.gone
	c.store.Remove(ctx, junk)
	return ""
}
