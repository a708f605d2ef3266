// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"sync/atomic"
	"unsafe"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Page is a channel's header page as used by a peer that breaks the protocol:
// words at the offsets of docs/reference/channel.md, written in any order and
// at any time.
type Page []byte

// The words of a header page.
const (
	Magic         = 0x000
	RevisionWord  = 0x008 // revision, and the header size above it
	Generation    = 0x010
	Size          = 0x018
	ClientWord    = 0x080 // client state, and in flight above it
	Period        = 0x088
	ClientWaiting = 0x090
	ServerWord    = 0x100 // server state, and server waiting above it
	Slots         = 0x200
	Near          = 0x600
)

// The words of a slot.
const (
	Turn    = 0x00
	Shape   = 0x08
	Timeout = 0x10
	Line    = 0x18
)

// Flags of a shape.
const (
	FlagNear    = 1 << 48
	FlagData    = 1 << 49
	FlagNames   = 1 << 50
	FlagPoll    = 1 << 51
	FlagNothing = 1 << 52
)

// Word is the eight bytes at offset, which is a multiple of eight.
func (p Page) Word(offset int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer((*[8]byte)(p[offset : offset+8])))
}

// Slot is the offset of a slot.
func Slot(i int) int { return Slots + i*transport.Line }

// Attach is what an honest client does when it has verified the page.
func (p Page) Attach(inFlight uint32) { p.Word(ClientWord).Store(1 | uint64(inFlight)<<32) }

// Asked is the number of the request in a slot, 0 if it has none that is unanswered.
func (p Page) Asked(slot int) uint64 {
	turn := transport.Turn(p.Word(Slot(slot) + Turn).Load())
	if turn.Phase() == transport.Answered {
		return 0
	}
	return turn.Number()
}

// Ask publishes a request in a slot: the line and the shape first, then the turn.
func (p Page) Ask(slot int, number, shape uint64, line string) {
	p.put(slot, transport.TurnOf(number, transport.Asked), shape, line)
}

// Answer publishes an answer in a slot, likewise.
func (p Page) Answer(slot int, number, shape uint64, line string) {
	p.put(slot, transport.TurnOf(number, transport.Answered), shape, line)
}

func (p Page) put(slot int, turn transport.Turn, shape uint64, line string) {
	at := Slot(slot)
	copy(p[at+Line:at+transport.Line], line)
	p.Word(at + Shape).Store(shape)
	p.Word(at + Turn).Store(uint64(turn))
}

// ShapeOf packs a shape: the length, the function's number or the status, flags.
func ShapeOf(length uint32, word uint16, flags uint64) uint64 {
	return uint64(length) | uint64(word)<<32 | flags
}

// Names are the names at the beginning of a request, and their padding.
func Names(library, function string) string {
	text := library + "\x00" + function + "\x00"
	return text + string(make([]byte, -len(text)&15))
}
