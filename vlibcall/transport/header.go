// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"fmt"
	"structs"
	"sync/atomic"
	"time"
	"unsafe"
)

const (
	// Magic is the first word of a channel: "vLibOS", 0, 1 in memory order.
	Magic uint64 = 0x0100_534f_6269_4c76
	// Revision of the layout below. A peer with another one is refused.
	Revision uint32 = 3
	// HeaderSize in bytes: the page in front of the data area.
	HeaderSize = 4096
	// MaxSize of a channel in bytes, including the header. Lengths are 32-bit
	// words; the limit is far below that, so that no sum can overflow.
	MaxSize = 1 << 30
	// MaxInFlight is the largest number of requests in a channel.
	MaxInFlight = 16
	// SlotSize is how many bytes of a message fit into its slot.
	SlotSize = 40
	// NearSize is how many bytes of larger messages the header page has room for,
	// for all slots together. Such calls never touch (or map) the data area.
	NearSize = HeaderSize - 0x600
	// Line is the size of a cache line, to which messages are aligned.
	Line = 64
)

// ClientAlive and ServerAlive are offsets in the header page. A transport asks
// its kernel to clear the byte there when that side unmaps the channel or dies.
const (
	ClientAlive = 0x080
	ServerAlive = 0x100
)

// Values of Client.Alive and Server.Alive; 0 once that side has left.
const (
	attached = 1
	offered  = 2 // the client has not come yet
)

// Header is the first page of a channel. Little-endian; header_test.go has the
// offsets, and docs/reference/channel.md lists them. Each side has a line of its
// own for what it seldom changes. A slot is one line, which both sides write in
// turn: so a small call moves one line to and fro.
//
// Each side publishes a turn and then checks whether the other one waits, or
// announces that it waits and then checks the turns. Store and load must not be
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

	Client Client // written by the client only
	_      [0x100 - 0x098]byte
	Server Server // written by the server only
	_      [0x200 - 0x108]byte

	Slots [MaxInFlight]Slot
	Near  [NearSize]byte
}

// Client is the client's line of a header.
type Client struct {
	Alive    atomic.Uint32 // the kernel clears its first byte at unmap
	InFlight atomic.Uint32 // slots in use; see CheckInFlight
	Period   atomic.Uint64 // nanoseconds; 0: none
	Waiting  atomic.Uint32 // 0: the client polls; WakeWhenDone; WakeAtEach
	_        uint32
}

// Values of Client.Waiting: when the server signals.
const (
	WakeWhenDone = 1 // when none of the client's requests is unanswered
	WakeAtEach   = 2 // at each answer
)

// Server is the server's line of a header.
type Server struct {
	Alive   atomic.Uint32 // likewise
	Waiting atomic.Uint32 // 1: the server sleeps, signal it
}

// Slot has a request, and then its answer.
type Slot struct {
	Turn    atomic.Uint64 // a Turn; stored last, publishes the rest
	Shape   atomic.Uint64 // length, function or status, flags
	Timeout atomic.Uint64 // nanoseconds that the server may take; 0: no limit
	Line    [SlotSize]byte
}

// Turn says to which request a slot belongs, and which side may write it.
type Turn uint64

// The phases of a turn.
const (
	Answered = iota // the client's
	Asked           // the server's
	GivenUp         // the server's: the client does not wait for the answer
)

// TurnOf is the turn of request number in a phase.
func TurnOf(number uint64, phase int) Turn { return Turn(number<<2 | uint64(phase)) }

// Phase of the turn: Answered, Asked, GivenUp, or 3, which none has.
func (t Turn) Phase() int { return int(t & 3) }

// Number of the turn's request.
func (t Turn) Number() uint64 { return uint64(t >> 2) }

// CheckInFlight checks how many requests a channel may have in flight: a power of
// two up to MaxInFlight.
func CheckInFlight(n int) error {
	if n < 1 || n > MaxInFlight || n&(n-1) != 0 {
		return fmt.Errorf("%d requests in flight: want 1, 2, 4, 8 or %d", n, MaxInFlight)
	}
	return nil
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
	h.Server.Waiting.Store(1)
	h.Client.Alive.Store(offered)
	h.Server.Alive.Store(attached)
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

// Attach records that the client has come, with inFlight slots and its period,
// after checking that the channel is the requested one. The error names the peer's
// wrong value.
func (h *Header) Attach(size int, generation uint64, inFlight int, period time.Duration) error {
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
	}
	for i := range h.Slots {
		if h.Slots[i].Turn.Load() != 0 {
			return fmt.Errorf("slot %d is in use before any request", i)
		}
	}
	h.Client.InFlight.Store(uint32(inFlight))
	h.Client.Period.Store(uint64(period))
	h.Client.Alive.Store(attached)
	return nil
}

// ClientCame reports whether a client has ever attached to the channel with this
// header page.
func ClientCame(page []byte) bool { return clientState(page) != offered }

// ClientLeft reports whether the client of the channel with this header page has
// left.
func ClientLeft(page []byte) bool { return clientState(page) == 0 }

func clientState(page []byte) uint32 { return header(page).Client.Alive.Load() & 0xff }

// AllGivenUp reports whether the client waits for none of its requests in the channel
// with this header page, but has given some up.
func AllGivenUp(page []byte) bool {
	phases := phases(page)
	return phases[Asked] == 0 && phases[GivenUp] > 0
}

// Unanswered reports whether the channel with this header page has an
// unanswered request, according to the client.
func Unanswered(page []byte) bool {
	phases := phases(page)
	return phases[Asked]+phases[GivenUp] > 0
}

// phases is the number of slots in each phase.
func phases(page []byte) (n [4]int) {
	h := header(page)
	for i := range h.Slots {
		n[Turn(h.Slots[i].Turn.Load()).Phase()]++
	}
	return n
}

// header is HeaderOf for a formatted page.
func header(page []byte) *Header { return (*Header)(unsafe.Pointer(&page[0])) }
