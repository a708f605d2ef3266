// SPDX-License-Identifier: Apache-2.0

package xenstore

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/xenctl/xenstore/internal/protocol"
	"github.com/vlibos/vlibos/xenctl/xenstore/xenstoretest"
)

// An invalid message instead of an answer ends the connection.
func TestGarbageBreaksTheConnection(t *testing.T) {
	message := func(kind protocol.Type, id uint32, payload string) []byte {
		return protocol.Append(nil, protocol.Message{Type: kind, Request: id, Payload: []byte(payload)})
	}
	for name, answer := range map[string]func(id uint32) []byte{
		"unknown id":         func(id uint32) []byte { return message(protocol.Read, id+1000, "x") },
		"id 0":               func(uint32) []byte { return message(protocol.Read, 0, "x") },
		"another type":       func(id uint32) []byte { return message(protocol.Directory, id, "x\x00") },
		"unknown type":       func(id uint32) []byte { return message(77, id, "x") },
		"event, no token":    func(uint32) []byte { return message(protocol.WatchEvent, 0, "/x\x00") },
		"event, no end":      func(uint32) []byte { return message(protocol.WatchEvent, 0, "/x\x001") },
		"empty event":        func(uint32) []byte { return message(protocol.WatchEvent, 0, "") },
		"error, unknown id":  func(id uint32) []byte { return message(protocol.Error, id+1, "ENOENT\x00") },
		"answered twice":     func(id uint32) []byte { m := message(protocol.Read, id, "x"); return append(m, m...) },
		"half a header":      func(uint32) []byte { return []byte{1, 2, 3} },
		"payload one longer": func(id uint32) []byte { return length(message(protocol.Read, id, ""), protocol.PayloadMax+1) },
		"payload of 4 GiB":   func(id uint32) []byte { return length(message(protocol.Read, id, ""), 1<<32-1) },
	} {
		t.Run(name, func(t *testing.T) {
			s := daemon(t)
			c := connect(t, s.Path)
			w, err := c.Watch(within(t), "/w")
			check(t, err)
			_, err = w.Next(within(t))
			check(t, err)
			s.Intercept(func(conn net.Conn, r xenstoretest.Request) bool {
				_, _ = conn.Write(answer(r.ID))
				if name == "half a header" {
					_ = conn.Close()
				}
				return true
			})
			_, err = c.Read(within(t), "/x")
			if name != "answered twice" { // the first answer may arrive before the second
				wantError(t, err, ErrBroken)
			}
			_, err = w.Next(within(t))
			wantError(t, err, ErrBroken)
			_, err = c.Read(within(t), "/x")
			wantError(t, err, ErrBroken)
		})
	}
}

func length(message []byte, n uint32) []byte {
	binary.LittleEndian.PutUint32(message[12:], n)
	return message
}

// A well-formed answer without meaning fails its own request only.
func TestNonsenseFailsItsRequestOnly(t *testing.T) {
	s := daemon(t)
	c := connect(t, s.Path)
	var nonsense []byte
	s.Intercept(func(conn net.Conn, r xenstoretest.Request) bool {
		if nonsense == nil {
			return false
		}
		_, _ = conn.Write(protocol.Append(nil, protocol.Message{Type: protocol.Type(r.Type), Request: r.ID, Payload: nonsense}))
		nonsense = nil
		return true
	})
	ctx := within(t)
	for name, try := range map[string]struct {
		answer string
		do     func() error
	}{
		"names without end":      {"a\x00b", func() error { _, err := c.Directory(ctx, "/"); return err }},
		"empty name":             {"a\x00\x00b\x00", func() error { _, err := c.Directory(ctx, "/"); return err }},
		"permission":             {"x0\x00", func() error { _, err := c.GetPermissions(ctx, "/"); return err }},
		"permission's domain":    {"n99999\x00", func() error { _, err := c.GetPermissions(ctx, "/"); return err }},
		"no permission":          {"", func() error { _, err := c.GetPermissions(ctx, "/"); return err }},
		"neither true nor false": {"maybe\x00", func() error { _, err := c.IsDomainIntroduced(ctx, 1); return err }},
		"two homes":              {"/a\x00/b\x00", func() error { _, err := c.GetDomainPath(ctx, 1); return err }},
		"transaction id":         {"-1\x00", func() error { return c.Transaction(ctx, func(*Tx) error { return nil }) }},
		"transaction 0":          {"0\x00", func() error { return c.Transaction(ctx, func(*Tx) error { return nil }) }},
	} {
		nonsense = []byte(try.answer)
		if try.answer == "" {
			nonsense = []byte{}
		}
		if err := try.do(); !errors.Is(err, ErrProtocol) || errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
		check(t, c.Mkdir(ctx, "/still-alive"))
	}
}

func TestUnknownErrorNameIsShown(t *testing.T) {
	s := daemon(t)
	s.Intercept(func(conn net.Conn, r xenstoretest.Request) bool {
		_, _ = conn.Write(protocol.Append(nil, protocol.Message{Type: protocol.Error, Request: r.ID, Payload: []byte("EWEIRD\x00")}))
		return true
	})
	_, err := connect(t, s.Path).Read(within(t), "/x")
	if err == nil || errors.Is(err, ErrBroken) || err.Error() != `xenstore: read /x: refused with the unknown error "EWEIRD"` {
		t.Errorf("error %v", err)
	}
}

func FuzzDispatch(f *testing.F) {
	f.Add(protocol.Append(nil, protocol.Message{Type: protocol.WatchEvent, Payload: protocol.Join("/w", "1")}))
	f.Add(protocol.Append(nil, protocol.Message{Type: protocol.Read, Request: 1, Payload: []byte("value")}))
	f.Add(protocol.Append(nil, protocol.Message{Type: protocol.Error, Request: 1, Payload: protocol.Join("EAGAIN")}))
	f.Add(protocol.Append(nil, protocol.Message{Type: protocol.DirectoryPart, Request: 1, Payload: protocol.Join("7", "a", "")}))
	f.Fuzz(func(t *testing.T, sent []byte) {
		ours, theirs := net.Pipe()
		c := newClient(ours, false)
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		var users sync.WaitGroup
		users.Go(func() { _, _ = c.Read(ctx, "/x") })
		users.Go(func() { _, _ = c.Directory(ctx, "/x") })
		users.Go(func() { _, _ = c.GetPermissions(ctx, "/x") })
		_, _ = theirs.Write(sent)
		_ = theirs.Close()
		users.Wait()
		if ctx.Err() != nil {
			t.Error("a request outlived the connection")
		}
		_ = c.Close()
	})
}

func FuzzParsePart(f *testing.F) {
	f.Add([]byte("7\x00a\x00b\x00\x00"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		p, err := parsePart(payload)
		if err == nil && !p.last && p.size <= 0 {
			t.Errorf("%q makes no progress", payload)
		}
	})
}
