// SPDX-License-Identifier: Apache-2.0

package vlibcall_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
)

// FuzzHeader writes arbitrary bytes to the memory that a server can write
// before the client has attached.
func FuzzHeader(f *testing.F) {
	f.Add(uint16(0), []byte("vLibOS\x00\x02"))
	f.Add(uint16(memory.Slots), []byte{4})
	f.Add(uint16(memory.Slots), []byte{5, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0})
	f.Add(uint16(memory.ServerWord), []byte{0, 1})
	f.Add(uint16(memory.ClientWord), []byte{0})
	f.Fuzz(func(t *testing.T, at uint16, junk []byte) {
		r := newRogue()
		var original []byte
		r.tamper = func(p memory.Page) {
			original = bytes.Clone(p)
			copy(p[int(at)%len(p):], junk)
		}
		start := time.Now()
		c, err := vlibcall.Open(context.Background(), r, vlibcall.Options{Size: 8192, Timeout: time.Millisecond})
		if err != nil {
			if !errors.Is(err, vlibcall.ErrProtocol) {
				t.Errorf("open: untyped %v", err)
			}
			return
		}
		if !bytes.Equal(original[:0x20], r.page[:0x20]) {
			t.Errorf("accepted an identity of % x", r.page[:0x20])
		}
		for range 2 {
			if _, err := c.Call(context.Background(), "t", "f", make([]byte, 1000), nil); err == nil {
				t.Error("an answer without a server")
			} else if !isTyped(err) {
				t.Errorf("call: untyped %v", err)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		within(t, "all of it", start)
	})
}

// FuzzReply answers with any number and shape; the model below computes the right
// result.
func FuzzReply(f *testing.F) {
	f.Add(uint64(1), uint64(0), uint16(10), []byte("x"))
	f.Add(uint64(1), memory.ShapeOf(3, 0, 0), uint16(10), []byte("abc"))
	f.Add(uint64(1), memory.ShapeOf(3, 0, memory.FlagNear), uint16(100), []byte("abc"))
	f.Add(uint64(1), memory.ShapeOf(4096, 0, memory.FlagData), uint16(10), []byte("abc"))
	f.Add(uint64(1), memory.ShapeOf(1500, 0, memory.FlagData), uint16(2560), []byte("abc"))
	f.Add(uint64(1), memory.ShapeOf(2000, 1, memory.FlagData), uint16(2000), []byte("\x1b[2J"))
	f.Add(uint64(0), uint64(0), uint16(0), []byte{})
	f.Add(uint64(1), uint64(1<<64-1), uint16(0), []byte{})
	f.Fuzz(func(t *testing.T, number, shape uint64, input uint16, text []byte) {
		const size = 8192
		number &= 1<<62 - 1
		request := len(memory.Names("t", "f")) + int(input)
		if request > size-transport.HeaderSize {
			t.Skip("the request does not fit")
		}
		behind := (request + 63) &^ 63
		length, status := int(uint32(shape)), uint16(shape>>32)
		const place = memory.FlagNear | memory.FlagData
		flags := shape >> 48 << 48
		var area []byte
		r := newRogue()
		c, err := vlibcall.Open(context.Background(), r, vlibcall.Options{Size: size, Timeout: bound})
		if err != nil {
			t.Fatal(err)
		}
		done := r.answer(t, func(p memory.Page, data []byte) {
			near := request > transport.SlotSize && request <= transport.NearSize
			switch flags & place {
			case 0:
				area = p[memory.Slots+memory.Line : memory.Slots+transport.Line]
			case memory.FlagNear:
				if area = p[memory.Near:]; near {
					area = area[min(behind, len(area)):]
				}
			case memory.FlagData:
				if area = data; request > transport.NearSize {
					area = area[min(behind, len(area)):]
				}
			}
			copy(area, text)
			p.Answer(0, number, shape, string(text))
		})
		start := time.Now()
		out, err := c.Call(context.Background(), "t", "f", make([]byte, input), nil)
		within(t, "the call", start)
		<-done
		var want error
		switch {
		case number != 1, flags&^place != 0, flags == place, length > len(area), status > uint16(vlibcall.StatusUnpaid):
			want = vlibcall.ErrProtocol
		case status != 0:
			want = (&vlibcall.StatusError{Status: vlibcall.Status(status)}).Unwrap()
		}
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		if want == nil && !bytes.Equal(out, area[:length]) {
			t.Errorf("output of %d bytes is not what stood in the channel", len(out))
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}
