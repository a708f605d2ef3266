// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"fmt"
	"structs"
	"sync/atomic"
	"unsafe"
)

const (
	// Magic is the first word of a channel: "vLibOS", 0, 1 in memory order.
	Magic uint64 = 0x0100_534f_6269_4c76
	// Revision of the layout below. A peer with another one is refused.
	Revision uint32 = 1
	// HeaderSize in bytes: the page in front of the data area.
	HeaderSize = 4096
	// MaxSize of a channel in bytes, header included. Lengths are 32-bit
	// words; the bound is far below that so that no sum can overflow.
	MaxSize = 1 << 30
	// MaxName is the longest library or function name, in bytes.
	MaxName = 255

	// InlineSize is what fits into the header page, names included, each
	// way. A call that stays below never touches (or maps) the data area.
	InlineSize = 992

	// inputAlign suits every type of C, so that a server can hand the input
	// to a function where it stands.
	inputAlign = 16
	// dataAlign is a cache line.
	dataAlign = 64
)

// Flags of a request.
const (
	flagRequestInline uint16 = 1 << iota // names and input are in the header page
	flagSession                          // keep polling this channel after the reply
	flagSessionOpen                      // no input: resolve the function, bind it to the session
	flagSessionEnd                       // no input: forget the function
)

// What clientAlive and serverAlive hold; 0 once that side has left.
const (
	attached = 1
	offered  = 2 // the client has not come yet
)

// flagReplyInline: the output is in the header page.
const flagReplyInline uint16 = 1

// header is the first page of a channel. Little-endian; offsets are golden
// in layout_test.go and listed in docs/channel.md. What one side polls and
// the other side writes share a cache line with the payload behind it, in
// 128-byte pairs, because the adjacent-line prefetcher fetches pairs.
type header struct {
	_ structs.HostLayout

	// Identity: written by the server before it offers the channel.
	magic      uint64
	revision   uint32
	headerSize uint32
	generation uint64
	size       uint64
	_          [0x080 - 0x020]byte

	request request // written by the client only
	reply   reply   // written by the server only

	cancel      atomic.Uint64 // client: id of the call it no longer waits for
	_           [0x900 - 0x888]byte
	clientAlive atomic.Uint32 // offered, then attached; the kernel clears its first byte at unmap
	_           [0x980 - 0x904]byte
	serverAlive atomic.Uint32 // attached; cleared likewise
	_           [HeaderSize - 0x984]byte
}

// Each side publishes an id and then looks whether the other is waiting; or says
// that it waits, and then looks for an id. So that not both miss each other,
// store and load must not change places: these words are stored by Swap. Store is
// the same instruction on amd64, but not for the race detector, whose Store is a
// plain one: there one wake-up in some fifty thousand calls was lost.

type request struct {
	id      atomic.Uint64 // 1, 2, 3, …; stored last, publishes the rest
	shape   atomic.Uint64 // requestShape
	timeout atomic.Uint64 // nanoseconds the server may take; 0: no limit
	waiting atomic.Uint32 // 1: the client sleeps, signal it
	_       uint32
	inline  [InlineSize]byte
}

type reply struct {
	id      atomic.Uint64 // the request's id; stored last, publishes the rest
	shape   atomic.Uint64 // replyShape
	waiting atomic.Uint32 // 1: the server sleeps, signal it
	_       [12]byte
	inline  [InlineSize]byte
}

func headerOf(page []byte) (*header, error) {
	if len(page) != HeaderSize || uintptr(unsafe.Pointer(&page[0]))%dataAlign != 0 {
		return nil, fmt.Errorf("channel header is %d bytes, want %d, aligned to %d", len(page), HeaderSize, dataAlign)
	}
	return (*header)(unsafe.Pointer(&page[0])), nil
}

// Format writes the identity of a channel of size bytes into its fresh,
// zeroed header page. Server transports call it before they offer the
// channel.
func Format(page []byte, size int, generation uint64) error {
	h, err := headerOf(page)
	if err != nil {
		return err
	}
	if err := CheckSize(size); err != nil {
		return err
	}
	h.revision, h.headerSize = Revision, HeaderSize
	h.generation, h.size = generation, uint64(size)
	h.reply.waiting.Store(1)
	h.clientAlive.Store(offered)
	h.serverAlive.Store(attached)
	h.magic = Magic
	return nil
}

// CheckSize reports whether a channel may have size bytes in all, header
// included: a whole number of 4096-byte pages, at least one beside the
// header.
func CheckSize(size int) error {
	if size < 2*HeaderSize || size > MaxSize || size%HeaderSize != 0 {
		return fmt.Errorf("channel size %d: want a multiple of %d from %d to %d bytes",
			size, HeaderSize, 2*HeaderSize, MaxSize)
	}
	return nil
}

// verify checks the identity against what the client asked for.
func (h *header) verify(size int, generation uint64) error {
	magic := atomic.LoadUint64(&h.magic)
	revision := atomic.LoadUint32(&h.revision)
	headerSize := atomic.LoadUint32(&h.headerSize)
	gotGeneration := atomic.LoadUint64(&h.generation)
	gotSize := atomic.LoadUint64(&h.size)
	switch {
	case magic != Magic:
		return protocolError("magic %#x, want %#x: not a vLibOS channel", magic, Magic)
	case revision != Revision:
		return protocolError("channel revision %d, this client speaks %d", revision, Revision)
	case headerSize != HeaderSize:
		return protocolError("header size %d, want %d", headerSize, HeaderSize)
	case gotGeneration != generation:
		return protocolError("generation %#x, want %#x: an earlier channel's memory", gotGeneration, generation)
	case gotSize != uint64(size):
		return protocolError("size %d, asked for %d", gotSize, size)
	}
	return nil
}

// ClientCame reports whether a client has ever attached to the channel with
// this header page, ClientLeft whether it has left. For server transports.
func ClientCame(page []byte) bool { return clientState(page) != offered }

// ClientLeft reports whether the client has left; see ClientCame.
func ClientLeft(page []byte) bool { return clientState(page) == 0 }

// GivenUp reports whether the client no longer waits for the request that stands
// in the channel with this header page. For server transports.
func GivenUp(page []byte) bool {
	h := (*header)(unsafe.Pointer(&page[0]))
	id := h.request.id.Load()
	return id != 0 && h.cancel.Load() == id
}

// Unanswered reports whether a request stands in the channel with this header
// page that has no answer yet, as far as the client says. For server transports.
func Unanswered(page []byte) bool {
	h := (*header)(unsafe.Pointer(&page[0]))
	return h.request.id.Load() != h.reply.id.Load()
}

func clientState(page []byte) uint32 {
	return (*header)(unsafe.Pointer(&page[0])).clientAlive.Load() & 0xff
}

// ClientAlive and ServerAlive are the offsets in the header page of the byte
// that a transport asks its kernel to clear when that side unmaps or dies.
const (
	ClientAlive = 0x900
	ServerAlive = 0x980
)

// requestShape packs the lengths and flags of a request into the one word
// that is loaded once: input length, name lengths, flags.
type requestShape uint64

func packRequest(input, library, function int, flags uint16) requestShape {
	return requestShape(uint64(uint32(input)) | uint64(uint8(library))<<32 | uint64(uint8(function))<<40 | uint64(flags)<<48)
}

func (s requestShape) input() int    { return int(uint32(s)) }
func (s requestShape) library() int  { return int(uint8(s >> 32)) }
func (s requestShape) function() int { return int(uint8(s >> 40)) }
func (s requestShape) flags() uint16 { return uint16(s >> 48) }

// names is the length of "library NUL function", 0 inside a session.
func (s requestShape) names() int {
	if s.library() == 0 && s.function() == 0 {
		return 0
	}
	return s.library() + 1 + s.function()
}

// inputOffset is where the input begins in its area.
func (s requestShape) inputOffset() int { return align(s.names(), inputAlign) }

// bytes is what the request takes in its area: names, then input.
func (s requestShape) bytes() int { return s.inputOffset() + s.input() }

func align(n, to int) int { return (n + to - 1) &^ (to - 1) }

// replyShape packs output length, status and flags of a reply.
type replyShape uint64

func packReply(output int, status Status, flags uint16) replyShape {
	return replyShape(uint64(uint32(output)) | uint64(status)<<32 | uint64(flags)<<48)
}

func (s replyShape) output() int    { return int(uint32(s)) }
func (s replyShape) status() Status { return Status(uint16(s >> 32)) }
func (s replyShape) flags() uint16  { return uint16(s >> 48) }

// outputOffset is where the output begins in the data area: behind the
// request when that is there too, so that a handler can read the one while
// it writes the other.
func (s requestShape) outputOffset() int {
	if s.flags()&flagRequestInline != 0 {
		return 0
	}
	return align(s.bytes(), dataAlign)
}
