// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"sync/atomic"
	"unsafe"
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
	RequestID     = 0x080
	RequestShape  = 0x088
	RequestTime   = 0x090
	RequestInline = 0x0a0
	ReplyID       = 0x480
	ReplyShape    = 0x488
	ReplyWaiting  = 0x490
	ReplyInline   = 0x4a0
)

// Word is the eight bytes at offset, which is a multiple of eight.
func (p Page) Word(offset int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer((*[8]byte)(p[offset : offset+8])))
}

// Answer publishes a reply: the shape first, then the id.
func (p Page) Answer(id, shape uint64) {
	p.Word(ReplyShape).Store(shape)
	p.Word(ReplyID).Store(id)
}

// ReplyShapeOf packs a reply's shape: the output's length, the status, and
// whether the output is in the header page.
func ReplyShapeOf(length uint32, status uint16, inline bool) uint64 {
	s := uint64(length) | uint64(status)<<32
	if inline {
		s |= 1 << 48
	}
	return s
}
