// SPDX-License-Identifier: Apache-2.0

package vlibcall

import "github.com/vlibos/vlibos/vlibcall/transport"

// MaxName is the longest library or function name, in bytes.
const MaxName = 255

// inputAlign suits every C type, so that a server can pass the input to a
// function in place.
const inputAlign = 16

// Flags of a request.
const (
	flagRequestInline uint16 = 1 << iota // names and input are in the header page
	flagSession                          // keep polling this channel after the reply
	flagSessionOpen                      // no input: resolve the function, bind it to the session
	flagSessionEnd                       // no input: forget the function
)

// flagReplyInline: the output is in the header page.
const flagReplyInline uint16 = 1

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

// bytes is the size of the request in its area: names, then input.
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

// outputOffset is where the output begins in the data area: after the request
// if that is there too, so that a handler can read one while it writes the
// other.
func (s requestShape) outputOffset() int {
	if s.flags()&flagRequestInline != 0 {
		return 0
	}
	return align(s.bytes(), transport.Line)
}
