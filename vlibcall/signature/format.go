// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// The first two bytes of every message.
const (
	revision = 1

	kindRequest = 1
	kindResult  = 2
)

const unit = 8 // every part of a message begins at a multiple of this

// A FormatError says where a message deviates from the encoding.
type FormatError struct {
	Offset  int
	Problem string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("malformed message at byte %d: %s", e.Offset, e.Problem)
}

func formatError(offset int, format string, args ...any) error {
	return &FormatError{Offset: offset, Problem: fmt.Sprintf(format, args...)}
}

// bufferSize is the size of a length, n bytes and padding.
func bufferSize(n int) int { return unit + roundUp(n) }

// stringSize is the size of n bytes, a NUL and padding, without a length: what
// a returned string adds to a result.
func stringSize(n int) int { return roundUp(n + 1) }

func roundUp(n int) int { return (n + unit - 1) &^ (unit - 1) }

// appendZeros appends n zero bytes; n is at most unit.
func appendZeros(dst []byte, n int) []byte {
	var zeros [unit]byte
	return append(dst, zeros[:n]...)
}

// A reader takes parts off a message and checks that they are there. The
// first failure stays.
type reader struct {
	b   []byte
	off int
	err error
}

func (r *reader) fail(offset int, format string, args ...any) {
	if r.err == nil {
		r.err = formatError(offset, format, args...)
	}
}

// header checks size, revision and kind, and leaves off at size.
func (r *reader) header(size int, kind byte) {
	switch {
	case len(r.b) > MaxSize:
		r.fail(0, "%d bytes, more than %d", len(r.b), MaxSize)
	case len(r.b) < size:
		r.fail(len(r.b), "ends within its header of %d bytes", size)
	case r.b[0] != revision:
		r.fail(0, "revision %d, not %d", r.b[0], revision)
	case r.b[1] != kind:
		r.fail(1, "kind %d, not %d", r.b[1], kind)
	}
	r.off = size
}

func (r *reader) uint64() uint64 {
	b := r.take(unit)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

// take returns the next n bytes, with their capacity cut to their length, or
// nil if there are fewer.
func (r *reader) take(n uint64) []byte {
	if r.err != nil {
		return nil
	}
	if n > uint64(len(r.b)-r.off) {
		r.fail(r.off, "%d bytes needed, %d left", n, len(r.b)-r.off)
		return nil
	}
	part := r.b[r.off : r.off+int(n) : r.off+int(n)]
	r.off += int(n)
	return part
}

// zeros takes n bytes, which must be zero.
func (r *reader) zeros(n int) {
	start := r.off
	for i, c := range r.take(uint64(n)) {
		if c != 0 {
			r.fail(start+i, "padding is not zero")
			return
		}
	}
}

// buffer takes a length, that many bytes and padding.
func (r *reader) buffer() []byte {
	b := r.take(r.uint64())
	r.zeros(roundUp(len(b)) - len(b))
	return b
}

// text takes n bytes without NUL, then NUL and padding. The NUL is within the
// capacity of what it returns.
func (r *reader) text(n uint64) []byte {
	start := r.off
	b := r.take(n)
	r.zeros(stringSize(len(b)) - len(b))
	if r.err != nil {
		return nil
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		r.fail(start+i, "NUL within a string")
		return nil
	}
	return r.b[start : start+len(b) : start+len(b)+1]
}

// end checks that nothing is left.
func (r *reader) end() {
	if r.err == nil && r.off != len(r.b) {
		r.fail(r.off, "%d bytes after the end", len(r.b)-r.off)
	}
}
