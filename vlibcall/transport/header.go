// SPDX-License-Identifier: Apache-2.0

package transport

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
	// MaxSize of a channel in bytes, including the header. Lengths are 32-bit
	// words; the limit is far below that, so that no sum can overflow.
	MaxSize = 1 << 30
	// InlineSize is how many bytes fit into the header page in each direction,
	// including names. A smaller call never touches (or maps) the data area.
	InlineSize = 992
	// Line is the size of a cache line, to which data is aligned.
	Line = 64
)

// ClientAlive and ServerAlive are offsets in the header page. A transport asks
// its kernel to clear the byte there when that side unmaps the channel or dies.
const (
	ClientAlive = 0x900
	ServerAlive = 0x980
)

// Values of Header.ClientAlive and Header.ServerAlive; 0 once that side has
// left.
const (
	attached = 1
	offered  = 2 // the client has not come yet
)

// Header is the first page of a channel. Little-endian; header_test.go has the
// offsets, and docs/reference/channel.md lists them. Words that one side polls
// and the other side writes share a cache line with the payload after them, in
// 128-byte pairs, because the adjacent-line prefetcher fetches pairs.
//
// Each side publishes an ID and then checks whether the other one waits, or
// announces that it waits and then checks for an ID. Store and load must not be
// reordered, or both could miss each other, so these words are stored by Swap.
// Store is the same instruction on amd64, but under the race detector it is a
// plain store: there one wake-up in some fifty thousand calls was lost.
type Header struct {
	_ structs.HostLayout

	// Identity: written by the server before it offers the channel.
	magic      uint64
	revision   uint32
	headerSize uint32
	generation uint64
	size       uint64
	_          [0x080 - 0x020]byte

	Request Request // written by the client only
	Reply   Reply   // written by the server only

	Cancel      atomic.Uint64 // client: ID of the call that it no longer waits for
	_           [0x900 - 0x888]byte
	ClientAlive atomic.Uint32 // the kernel clears its first byte at unmap
	_           [0x980 - 0x904]byte
	ServerAlive atomic.Uint32 // likewise
	_           [HeaderSize - 0x984]byte
}

// Request is the client's half of a header.
type Request struct {
	ID      atomic.Uint64 // 1, 2, 3, …; stored last, publishes the rest
	Shape   atomic.Uint64 // lengths and flags
	Timeout atomic.Uint64 // nanoseconds that the server may take; 0: no limit
	Waiting atomic.Uint32 // 1: the client sleeps, signal it
	_       uint32
	Inline  [InlineSize]byte
}

// Reply is the server's half of a header.
type Reply struct {
	ID      atomic.Uint64 // the request's; stored last, publishes the rest
	Shape   atomic.Uint64 // length, status and flags
	Waiting atomic.Uint32 // 1: the server sleeps, signal it
	_       [12]byte
	Inline  [InlineSize]byte
}

// HeaderOf is the header in a header page.
func HeaderOf(page []byte) (*Header, error) {
	if len(page) != HeaderSize || uintptr(unsafe.Pointer(&page[0]))%Line != 0 {
		return nil, fmt.Errorf("channel header is %d bytes, want %d, aligned to %d", len(page), HeaderSize, Line)
	}
	return (*Header)(unsafe.Pointer(&page[0])), nil
}

// Format writes the identity of a channel of size bytes into its new, zeroed
// header page. The server's side does so before it offers the channel.
func Format(page []byte, size int, generation uint64) error {
	h, err := HeaderOf(page)
	if err != nil {
		return err
	}
	if err := CheckSize(size); err != nil {
		return err
	}
	h.revision, h.headerSize = Revision, HeaderSize
	h.generation, h.size = generation, uint64(size)
	h.Reply.Waiting.Store(1)
	h.ClientAlive.Store(offered)
	h.ServerAlive.Store(attached)
	h.magic = Magic
	return nil
}

// CheckSize checks the size of a channel, including the header: a multiple of
// 4096 bytes, with at least one page after the header.
func CheckSize(size int) error {
	if size < 2*HeaderSize || size > MaxSize || size%HeaderSize != 0 {
		return fmt.Errorf("channel size %d: want a multiple of %d from %d to %d bytes",
			size, HeaderSize, 2*HeaderSize, MaxSize)
	}
	return nil
}

// Attach records that the client has come, after checking that the channel is
// the requested one. The error names the peer's wrong value.
func (h *Header) Attach(size int, generation uint64) error {
	magic := atomic.LoadUint64(&h.magic)
	revision := atomic.LoadUint32(&h.revision)
	headerSize := atomic.LoadUint32(&h.headerSize)
	gotGeneration := atomic.LoadUint64(&h.generation)
	gotSize := atomic.LoadUint64(&h.size)
	switch {
	case magic != Magic:
		return fmt.Errorf("magic %#x, want %#x: not a vLibOS channel", magic, Magic)
	case revision != Revision:
		return fmt.Errorf("channel revision %d, this client speaks %d", revision, Revision)
	case headerSize != HeaderSize:
		return fmt.Errorf("header size %d, want %d", headerSize, HeaderSize)
	case gotGeneration != generation:
		return fmt.Errorf("generation %#x, want %#x: an earlier channel's memory", gotGeneration, generation)
	case gotSize != uint64(size):
		return fmt.Errorf("size %d, asked for %d", gotSize, size)
	case h.Reply.ID.Load() != 0:
		return fmt.Errorf("an answer stands in the channel before any question")
	}
	h.ClientAlive.Store(attached)
	return nil
}

// ClientCame reports whether a client has ever attached to the channel with this
// header page.
func ClientCame(page []byte) bool { return clientState(page) != offered }

// ClientLeft reports whether the client of the channel with this header page has
// left.
func ClientLeft(page []byte) bool { return clientState(page) == 0 }

func clientState(page []byte) uint32 { return header(page).ClientAlive.Load() & 0xff }

// GivenUp reports whether the client no longer waits for the request in the
// channel with this header page.
func GivenUp(page []byte) bool {
	h := header(page)
	id := h.Request.ID.Load()
	return id != 0 && h.Cancel.Load() == id
}

// Unanswered reports whether the channel with this header page has an
// unanswered request, according to the client.
func Unanswered(page []byte) bool {
	h := header(page)
	return h.Request.ID.Load() != h.Reply.ID.Load()
}

// header is HeaderOf for a formatted page.
func header(page []byte) *Header { return (*Header)(unsafe.Pointer(&page[0])) }
