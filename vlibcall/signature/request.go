// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"encoding/binary"
	"fmt"
)

// A Request is a signature and one value for each of its arguments.
//
// A zero Request is ready for [Request.Decode]. It is not safe for concurrent
// use.
type Request struct {
	Signature *Signature
	Args      []Value
}

const requestHeader = 8

// An ArgError says which argument is not what the signature wants.
type ArgError struct {
	Arg     int    // counted from 1
	Type    string // its type in the notation
	Problem string
}

func (e *ArgError) Error() string {
	return fmt.Sprintf("argument %d (%s): %s", e.Arg, e.Type, e.Problem)
}

// Size is the number of bytes that [Request.Append] appends. It fails with an
// [*ArgError] if a value does not fit its type, and if the whole exceeds
// [MaxSize].
func (r *Request) Size() (int, error) {
	s := r.Signature
	if len(r.Args) != len(s.args) {
		return 0, fmt.Errorf("signature %s: %d values for %d arguments", s, len(r.Args), len(s.args))
	}
	size := requestHeader + roundUp(len(s.text))
	for i, v := range r.Args {
		t := s.args[i]
		if problem := valueProblem(t, v); problem != "" {
			return 0, &ArgError{Arg: i + 1, Type: t.String(), Problem: problem}
		}
		if len(v.Bytes) > MaxSize {
			return 0, &ArgError{Arg: i + 1, Type: t.String(), Problem: fmt.Sprintf("%d bytes, at most %d can be sent", len(v.Bytes), MaxSize)}
		}
		switch {
		case t.Kind.Scalar():
			size += unit
		case t.Kind == Str || t.Kind == Sym:
			size += unit + stringSize(len(v.Bytes))
		case t.Kind == In || t.Kind == IO:
			size += bufferSize(len(v.Bytes))
		}
	}
	if size > MaxSize {
		return 0, fmt.Errorf("signature %s: a request of %d bytes, at most %d can be sent", s, size, MaxSize)
	}
	return size, nil
}

// Append appends the encoded request to dst. It allocates only if dst lacks
// the capacity that [Request.Size] tells, and fails as that does, with dst
// unchanged.
func (r *Request) Append(dst []byte) ([]byte, error) {
	if _, err := r.Size(); err != nil {
		return dst, err
	}
	s := r.Signature
	dst = append(dst, revision, kindRequest)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(s.text)))
	dst = append(dst, 0, 0, 0, 0)
	dst = append(dst, s.text...)
	dst = appendZeros(dst, roundUp(len(s.text))-len(s.text))
	for i, v := range r.Args {
		n := len(v.Bytes)
		switch k := s.args[i].Kind; {
		case k.Scalar():
			dst = binary.LittleEndian.AppendUint64(dst, v.Bits)
		case k == Str || k == Sym:
			dst = binary.LittleEndian.AppendUint64(dst, uint64(n))
			dst = append(dst, v.Bytes...)
			dst = appendZeros(dst, stringSize(n)-n)
		case k == In || k == IO:
			dst = binary.LittleEndian.AppendUint64(dst, uint64(n))
			dst = append(dst, v.Bytes...)
			dst = appendZeros(dst, roundUp(n)-n)
		}
	}
	return dst, nil
}

// Decode reads an encoded request. The values' Bytes are parts of b; those of
// strings and symbols are followed by a NUL within their capacity. Where r
// already holds the same signature, from an earlier request, it is not parsed
// again and nothing is allocated.
//
// A [*SyntaxError] means that the signature is not one, a [*FormatError] that
// the encoding is wrong elsewhere. After an error r is not to be used except
// for another Decode.
func (r *Request) Decode(b []byte) error {
	in := reader{b: b}
	in.header(requestHeader, kindRequest)
	if in.err != nil {
		return in.err
	}
	size := int(binary.LittleEndian.Uint16(b[2:]))
	if size > MaxText {
		return formatError(2, "signature of %d bytes, at most %d", size, MaxText)
	}
	if binary.LittleEndian.Uint32(b[4:]) != 0 {
		return formatError(4, "reserved bytes are not zero")
	}
	text := in.take(uint64(size))
	in.zeros(roundUp(len(text)) - len(text))
	if in.err != nil {
		return in.err
	}
	if err := r.setSignature(text); err != nil {
		return err
	}
	r.Args = r.Args[:0]
	for _, t := range r.Signature.args {
		r.Args = append(r.Args, in.value(t))
	}
	in.end()
	return in.err
}

func (r *Request) setSignature(text []byte) error {
	if r.Signature != nil && r.Signature.text == string(text) {
		return nil
	}
	own := string(text)
	s, err := Parse(own)
	if err != nil {
		return err
	}
	if s.text != own {
		return formatError(requestHeader, "signature %q is not in canonical form, %q", own, s.text)
	}
	r.Signature = s
	return nil
}

// value takes the value of an argument of type t.
func (r *reader) value(t Type) Value {
	start := r.off
	switch k := t.Kind; {
	case k.Scalar():
		bits := r.uint64()
		if problem := scalarProblem(k, bits); problem != "" {
			r.fail(start, "%s", problem)
		}
		return Value{Bits: bits}
	case k == Str:
		return Value{Bytes: r.text(r.uint64())}
	case k == Sym:
		name := r.text(r.uint64())
		if r.err == nil && !validSymbol(name) {
			r.fail(start, "%.80q is not a C identifier", name)
		}
		return Value{Bytes: name}
	case k == In || k == IO:
		return Value{Bytes: r.buffer()}
	}
	return Value{}
}
