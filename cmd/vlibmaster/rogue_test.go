// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

// startRogue serves port 1 of NAME with functions that answer what no honest
// server sends, and port 2 with answers to requests that were not made.
func startRogue(ts *testscript.TestScript, name string) {
	dir := filepath.Join(ts.Getenv("VLIBOS_NATIVE_DIR"), name)
	l, err := native.Listen(dir, 1)
	ts.Check(err)
	s := vlibcall.NewServer(l)
	reply := func(b []byte) vlibcall.Handler { return func(c *vlibcall.Call) error { return c.Reply(b) } }
	status := func(st vlibcall.Status, detail string) vlibcall.Handler {
		return func(*vlibcall.Call) error { return &vlibcall.StatusError{Status: st, Detail: detail} }
	}
	s.Handle("rogue", "garbage", reply([]byte("\x01\x02garbage")))
	s.Handle("rogue", "escape", status(vlibcall.StatusFailed, "red\n\x1b[31mline two\u202e"))
	s.Handle("rogue", "cancelled", status(vlibcall.StatusCancelled, "enough"))
	s.Handle("rogue", "toolarge", status(vlibcall.StatusTooLarge, ""))
	s.Handle("rogue", "signature", status(vlibcall.StatusSignature, ""))
	s.Handle("rogue", "unknown", status(999, ""))
	s.Handle("rogue", "panic", func(*vlibcall.Call) error { panic("no") })
	for f, st := range map[string]vlibcall.Status{
		"refused": vlibcall.StatusDenied, "nolibrary": vlibcall.StatusNoLibrary, "nofunction": vlibcall.StatusNoFunction,
		"died": vlibcall.StatusCrashed, "timedout": vlibcall.StatusCancelled, "badname": vlibcall.StatusBadRequest,
	} {
		s.Handle("status", f, status(st, f))
	}
	calls := 0
	s.Handle("rogue", "third", func(c *vlibcall.Call) error {
		if calls++; calls == 3 {
			return c.Reply(nil)
		}
		return c.Reply([]byte("\x01\x02\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"))
	})
	s.Handle(builtin.Library, builtin.Services, reply([]byte(`{"name":`)))
	s.Handle(builtin.Library, builtin.Run, reply([]byte("\xff\xff\xff\xff")))

	liar, err := native.Listen(dir, 2)
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- s.Serve(ctx) }()
	go func() { done <- lie(liar) }()
	ts.Defer(func() {
		cancel()
		liar.Interrupt()
		ts.Check(<-done)
		ts.Check(<-done)
	})
}

func lie(l *native.Listener) error {
	for {
		ep, err := l.Wait(time.Time{})
		if err != nil {
			return l.Close()
		}
		memory.Page(ep.Header()).Answer(0, 999, 0, "")
		ep.Notify() // to a client that may be gone
	}
}
