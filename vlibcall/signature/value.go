// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"bytes"
	"fmt"
	"math"
)

// A Value is an argument or a return value. Its type stands in the signature.
//
// Integers are sign- or zero-extended to 64 bits in Bits, bool is 0 or 1,
// f64 and f32 are their IEEE 754 bits (those of f32 in the low half). Strings,
// symbols and buffers are in Bytes, without a NUL at the end; a returned
// string that is NULL has Null set. Out and null arguments are the zero Value.
type Value struct {
	Bits  uint64
	Bytes []byte
	Null  bool
}

// Int returns the value of a signed integer.
func Int(v int64) Value { return Value{Bits: uint64(v)} }

// Uint returns the value of an unsigned integer.
func Uint(v uint64) Value { return Value{Bits: v} }

// Float64 returns the value of an f64.
func Float64(v float64) Value { return Value{Bits: math.Float64bits(v)} }

// Float32 returns the value of an f32.
func Float32(v float32) Value { return Value{Bits: uint64(math.Float32bits(v))} }

// Boolean returns the value of a bool.
func Boolean(v bool) Value {
	if v {
		return Value{Bits: 1}
	}
	return Value{}
}

// Bytes returns the value of a buffer; b is kept, not copied.
func Bytes(b []byte) Value { return Value{Bytes: b} }

// String returns the value of a string or symbol.
func String(s string) Value { return Value{Bytes: []byte(s)} }

// Int is the value as a signed integer.
func (v Value) Int() int64 { return int64(v.Bits) }

// Uint is the value as an unsigned integer.
func (v Value) Uint() uint64 { return v.Bits }

// Float64 is the value of an f64.
func (v Value) Float64() float64 { return math.Float64frombits(v.Bits) }

// Float32 is the value of an f32.
func (v Value) Float32() float32 { return math.Float32frombits(uint32(v.Bits)) }

// Boolean is the value of a bool.
func (v Value) Boolean() bool { return v.Bits != 0 }

// scalarProblem says why bits are not a value of the scalar kind k, or "".
func scalarProblem(k Kind, bits uint64) string {
	switch {
	case k.Signed():
		if shift := 64 - k.Bits(); int64(bits)<<shift>>shift != int64(bits) {
			return fmt.Sprintf("%d is out of the range of %s", int64(bits), k)
		}
	case k.Unsigned():
		if k.Bits() < 64 && bits>>k.Bits() != 0 {
			return fmt.Sprintf("%d is out of the range of %s", bits, k)
		}
	case k == Bool:
		if bits > 1 {
			return fmt.Sprintf("%d is neither 0 nor 1", bits)
		}
	case k == F32:
		if bits>>32 != 0 {
			return "an f32 has only 32 bits"
		}
	}
	return ""
}

// valueProblem says why v is not a value of type t, or "".
func valueProblem(t Type, v Value) string {
	switch t.Kind {
	case Str:
		if bytes.IndexByte(v.Bytes, 0) >= 0 {
			return "a string cannot contain NUL"
		}
	case Sym:
		if !validSymbol(v.Bytes) {
			return fmt.Sprintf("%.80q is not a C identifier", v.Bytes)
		}
	case In, IO, Out, Null:
	default:
		return scalarProblem(t.Kind, v.Bits)
	}
	return ""
}
