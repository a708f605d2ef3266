// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"encoding/binary"
	"fmt"
)

const resultHeader = 16

const (
	flagErrno = 1 << 0
	flagNull  = 1 << 1
)

// A Buffer is the content of an io or out argument after the call.
type Buffer struct {
	Arg   int // counted from 0
	Bytes []byte
}

// A Result is what a call gave back. A zero Result is ready for
// [Result.Decode]. It is not safe for concurrent use.
type Result struct {
	Signature  *Signature
	Value      Value
	Errno      int32 // as the function left it; it was 0 before the call
	ErrnoKnown bool
	Buffers    []Buffer // in the order of the arguments
}

// ResultSize is the number of bytes of the result of r, apart from a string
// that it may return.
func (r *Request) ResultSize() int {
	size := resultHeader
	for i, t := range r.Signature.args {
		if t.Kind.returned() {
			size += bufferSize(r.bufferLen(i))
		}
	}
	return size
}

// bufferLen is the length that the buffer of argument i has in the result.
func (r *Request) bufferLen(i int) int {
	if t := r.Signature.args[i]; t.Kind == Out {
		return t.Size
	}
	return len(r.Args[i].Bytes)
}

// A SizeError says that a result does not fit the space for it.
type SizeError struct {
	Need, Have int // bytes; more may be needed for a returned string
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("a result of at least %d bytes does not fit the %d bytes there are for it", e.Need, e.Have)
}

// LayoutResult prepares the result of r in dst, before the call: io buffers
// are copied there, out buffers are zeroed, and both are appended to buffers
// as parts of dst for the function to work on in place. used is how much of
// dst is laid out; [FinishResult] wants it after the call. The error is a
// [*SizeError].
func LayoutResult(dst []byte, r *Request, buffers []Buffer) (used int, _ []Buffer, err error) {
	used = r.ResultSize()
	if used > len(dst) || used > MaxSize {
		return 0, buffers, &SizeError{Need: used, Have: min(len(dst), MaxSize)}
	}
	off := resultHeader
	for i, t := range r.Signature.args {
		if !t.Kind.returned() {
			continue
		}
		n := r.bufferLen(i)
		binary.LittleEndian.PutUint64(dst[off:], uint64(n))
		area := dst[off+unit : off+unit+n : off+unit+n]
		clear(area[copy(area, r.Args[i].Bytes):])
		clear(dst[off+unit+n : off+bufferSize(n)])
		buffers = append(buffers, Buffer{Arg: i, Bytes: area})
		off += bufferSize(n)
	}
	return used, buffers, nil
}

// FinishResult completes the result of which [LayoutResult] laid out used
// bytes in dst, and returns its whole size. A returned string is copied from
// v.Bytes. The error is a [*SizeError] if it does not fit, or an [*ArgError]
// with Arg 0 if v is not a value of the return type.
func FinishResult(dst []byte, used int, s *Signature, v Value, errno int32) (int, error) {
	ret := s.ret.Kind
	if problem := valueProblem(s.ret, v); ret != Void && problem != "" {
		return 0, &ArgError{Type: s.ret.String(), Problem: problem}
	}
	flags, bits := uint16(flagErrno), v.Bits
	switch {
	case ret == Void:
		bits = 0
	case ret == Str && v.Null:
		flags, bits = flags|flagNull, 0
	case ret == Str:
		n := len(v.Bytes)
		end := used + stringSize(n)
		if end > len(dst) || end > MaxSize {
			return 0, &SizeError{Need: end, Have: min(len(dst), MaxSize)}
		}
		clear(dst[used+copy(dst[used:], v.Bytes) : end])
		used, bits = end, uint64(n)
	}
	dst[0], dst[1] = revision, kindResult
	binary.LittleEndian.PutUint16(dst[2:], flags)
	binary.LittleEndian.PutUint32(dst[4:], uint32(errno))
	binary.LittleEndian.PutUint64(dst[8:], bits)
	return used, nil
}

// Decode reads the encoded result of req; its bytes are parts of b. The error
// is a [*FormatError]. After an error r is not to be used except for another
// Decode.
func (r *Result) Decode(b []byte, req *Request) error {
	in := reader{b: b}
	in.header(resultHeader, kindResult)
	if in.err != nil {
		return in.err
	}
	ret := req.Signature.ret.Kind
	flags := binary.LittleEndian.Uint16(b[2:])
	errno := int32(binary.LittleEndian.Uint32(b[4:]))
	bits := binary.LittleEndian.Uint64(b[8:])
	null := flags&flagNull != 0
	switch {
	case flags&^(flagErrno|flagNull) != 0, null && ret != Str:
		return formatError(2, "flags %#x", flags)
	case flags&flagErrno == 0 && errno != 0:
		return formatError(4, "errno %d although it is not known", errno)
	case (null || ret == Void) && bits != 0:
		return formatError(8, "value %d where there is none", bits)
	}
	*r = Result{Signature: req.Signature, Errno: errno, ErrnoKnown: flags&flagErrno != 0, Buffers: r.Buffers[:0]}
	if ret.Scalar() {
		if problem := scalarProblem(ret, bits); problem != "" {
			return formatError(8, "%s", problem)
		}
		r.Value.Bits = bits
	}
	for i, t := range req.Signature.args {
		if !t.Kind.returned() {
			continue
		}
		start := in.off
		area := in.buffer()
		if in.err == nil && len(area) != req.bufferLen(i) {
			in.fail(start, "%d bytes in the buffer of argument %d, not %d", len(area), i+1, req.bufferLen(i))
		}
		r.Buffers = append(r.Buffers, Buffer{Arg: i, Bytes: area})
	}
	if ret == Str {
		r.Value.Null = null
		if !null {
			r.Value.Bytes = in.text(bits)
		}
	}
	in.end()
	return in.err
}
