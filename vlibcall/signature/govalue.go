// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"fmt"
	"reflect"
)

// NewRequest makes a request of Go values, one for each argument that takes a
// value: all but out and null.
//
//	integers  any Go integer that the type has room for
//	f32 f64   float32, float64; f32 takes a float64 by rounding it
//	bool      bool
//	str sym   string
//	in io     []byte, string
//
// Bytes are kept, not copied. Errors about one value are of type [*ArgError].
func NewRequest(s *Signature, args ...any) (*Request, error) {
	if err := s.checkCount(len(args)); err != nil {
		return nil, err
	}
	r := &Request{Signature: s, Args: make([]Value, len(s.args))}
	for i, t := range s.args {
		if !t.Kind.sent() {
			continue
		}
		v, ok := valueOf(t.Kind, args[0])
		if !ok {
			return nil, &ArgError{Arg: i + 1, Type: t.String(), Problem: "want " + wanted(t.Kind) + ", got " + described(args[0])}
		}
		r.Args[i], args = v, args[1:]
	}
	if _, err := r.Size(); err != nil {
		return nil, err
	}
	return r, nil
}

// checkCount refuses another number of values than the signature takes.
func (s *Signature) checkCount(got int) error {
	want := s.numValues()
	if got == want {
		return nil
	}
	unit := "values"
	if want == 1 {
		unit = "value"
	}
	return fmt.Errorf("signature %s takes %d %s (out and null take none), got %d", s, want, unit, got)
}

// wanted says which Go values valueOf takes for a kind.
func wanted(k Kind) string {
	switch {
	case k.Signed() || k.Unsigned():
		return "an integer that fits"
	case k.Float():
		return "a float32 or float64"
	case k == Bool:
		return "a bool"
	case k == In || k == IO:
		return "bytes or a string"
	}
	return "a string"
}

func described(arg any) string {
	switch arg := arg.(type) {
	case nil:
		return "nil"
	case string:
		return fmt.Sprintf("the Go string %.40q", arg)
	}
	return fmt.Sprintf("the Go %T %.40v", arg, arg)
}

func valueOf(k Kind, arg any) (v Value, ok bool) {
	a := reflect.ValueOf(arg)
	switch {
	case k.Signed() || k.Unsigned():
		return integerOf(k, a)
	case k == F64 && a.CanFloat():
		return Float64(a.Float()), true
	case k == F32 && a.CanFloat():
		return Float32(float32(a.Float())), true
	case k == Bool && a.Kind() == reflect.Bool:
		return Boolean(a.Bool()), true
	case (k == Str || k == Sym) && a.Kind() == reflect.String:
		return String(a.String()), true
	case k == In || k == IO:
		if b, isBytes := arg.([]byte); isBytes {
			return Bytes(b), true
		}
		if a.Kind() == reflect.String {
			return String(a.String()), true
		}
	}
	return v, false
}

// integerOf refuses a value that has another sign than its kind can have; Size
// refuses one that is too large.
func integerOf(k Kind, a reflect.Value) (Value, bool) {
	switch {
	case a.CanInt() && (k.Signed() || a.Int() >= 0):
		return Int(a.Int()), true
	case a.CanUint() && (k.Unsigned() || a.Uint() < 1<<63):
		return Uint(a.Uint()), true
	}
	return Value{}, false
}

// Any is the return value as Go has it: an int64, a uint64,
// a float32, a float64, a bool, a string; nil for void and a NULL string.
func (r *Result) Any() any {
	switch k := r.Signature.ret.Kind; {
	case k.Signed():
		return r.Value.Int()
	case k.Unsigned():
		return r.Value.Uint()
	case k == F64:
		return r.Value.Float64()
	case k == F32:
		return r.Value.Float32()
	case k == Bool:
		return r.Value.Boolean()
	case k == Str && !r.Value.Null:
		return string(r.Value.Bytes)
	}
	return nil
}
