// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"bytes"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

const (
	// MaxName is the longest library or function name, in bytes.
	MaxName = 255
	// mostFunctions are bound in one channel at a time.
	mostFunctions = 256
	// inputAlign suits every C type, so that a server can pass the input to a
	// function in place.
	inputAlign = 16
)

// Flags of a shape. A message with neither flagNear nor flagData is in its slot.
const (
	flagNear     uint16 = 1 << iota // the message is in the near part
	flagData                        // the message is in the data part
	flagNames                       // it begins with names, for which the function's number stands from now on
	flagPoll                        // the server polls this channel after its answer
	flagNothing                     // no function is called
	unknownFlags = ^(flagNothing<<1 - 1)

	flagsOfPlace = flagNear | flagData
)

// shape packs what a request or an answer is into the one word that is loaded
// once: the length; the function's number, or the status; the flags.
type shape uint64

func pack(length int, word, flags uint16) shape {
	return shape(uint64(uint32(length)) | uint64(word)<<32 | uint64(flags)<<48)
}

func (s shape) length() int    { return int(uint32(s)) }
func (s shape) word() uint16   { return uint16(s >> 32) }
func (s shape) flags() uint16  { return uint16(s >> 48) }
func (s shape) status() Status { return Status(s.word()) }
func (s shape) place() uint16  { return s.flags() & flagsOfPlace }

// answerAt is where an answer begins in the near or data part: behind the request
// if that is there too, so that a handler can read one while it writes the other.
func (s shape) answerAt(place uint16) int {
	if s.place() != place {
		return 0
	}
	return align(s.length(), transport.Line)
}

func align(n, to int) int { return (n + to - 1) &^ (to - 1) }

// area is what one side knows of a channel's memory: which parts its slots have.
type area struct {
	h          *transport.Header
	mask       uint64 // slots in use, less one
	near, data int    // size of each slot's parts, in bytes
}

func newArea(h *transport.Header, size, inFlight int) area {
	return area{
		h: h, mask: uint64(inFlight - 1),
		near: transport.NearSize / inFlight &^ (transport.Line - 1),
		data: (size - transport.HeaderSize) / inFlight &^ (transport.Line - 1),
	}
}

// channelSize is the size of a channel with so many slots that a message of n bytes
// fits into the data part of each.
func channelSize(slots, n int) int {
	return transport.HeaderSize + align(slots*align(n, transport.Line), transport.HeaderSize)
}

// slot is the index of the slot for a request.
func (a *area) slot(number uint64) int { return int((number - 1) & a.mask) }

// part is a slot's near part.
func (a *area) part(slot int) []byte {
	return a.h.Near[slot*a.near : (slot+1)*a.near : (slot+1)*a.near]
}

// partOf is a slot's part of the data area.
func (a *area) partOf(data []byte, slot int) []byte {
	return data[slot*a.data : (slot+1)*a.data : (slot+1)*a.data]
}

// nameLength is the size of the names in front of an input.
func nameLength(library, function string) int {
	return align(len(library)+len(function)+2, inputAlign)
}

// cutNames finds the names at the beginning of a request, and where its input
// begins; ok is false if there are none.
func cutNames(b []byte) (library, function []byte, input int, ok bool) {
	n := bytes.IndexByte(b, 0)
	if n < 1 || n > MaxName {
		return nil, nil, 0, false
	}
	m := bytes.IndexByte(b[n+1:], 0)
	if m < 1 || m > MaxName {
		return nil, nil, 0, false
	}
	return b[:n], b[n+1 : n+1+m], align(n+m+2, inputAlign), true
}
