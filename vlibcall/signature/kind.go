// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"fmt"
	"strconv"
)

// Kind is the kind of an argument or of a return value.
type Kind uint8

// The kinds; see the package comment for what each means.
const (
	Void Kind = iota
	I8
	I16
	I32
	I64
	U8
	U16
	U32
	U64
	Bool
	F32
	F64
	Str
	In
	IO
	Out
	Sym
	Null
)

var kindNames = [...]string{
	Void: "void",
	I8:   "i8", I16: "i16", I32: "i32", I64: "i64",
	U8: "u8", U16: "u16", U32: "u32", U64: "u64",
	Bool: "bool", F32: "f32", F64: "f64",
	Str: "str", In: "in", IO: "io", Out: "out", Sym: "sym", Null: "null",
}

var kindsByName = func() map[string]Kind {
	m := make(map[string]Kind, len(kindNames))
	for k, name := range kindNames {
		m[name] = Kind(k)
	}
	return m
}()

// String returns the word that stands for the kind in the notation.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Signed reports whether k is a signed integer.
func (k Kind) Signed() bool { return k >= I8 && k <= I64 }

// Unsigned reports whether k is an unsigned integer.
func (k Kind) Unsigned() bool { return k >= U8 && k <= U64 }

// Float reports whether k travels in a floating-point register.
func (k Kind) Float() bool { return k == F32 || k == F64 }

// Scalar reports whether a value of kind k is eight bytes in the encoding.
func (k Kind) Scalar() bool { return k >= I8 && k <= F64 }

// Bits is the width of an integer or floating-point kind, 0 for others.
func (k Kind) Bits() int {
	switch k {
	case I8, U8:
		return 8
	case I16, U16:
		return 16
	case I32, U32, F32:
		return 32
	case I64, U64, F64:
		return 64
	}
	return 0
}

// returnable reports whether a function can return k.
func (k Kind) returnable() bool { return k == Void || k == Str || k.Scalar() }

// sent reports whether a request carries a value for an argument of kind k.
func (k Kind) sent() bool { return k != Out && k != Null }

// returned reports whether a result carries the buffer of an argument of
// kind k.
func (k Kind) returned() bool { return k == Out || k == IO }

// Type is a kind, and for [Out] the size of the buffer in bytes.
type Type struct {
	Kind Kind
	Size int
}

// String returns the type in the canonical notation.
func (t Type) String() string {
	if t.Kind == Out {
		return "out:" + strconv.Itoa(t.Size)
	}
	return t.Kind.String()
}
