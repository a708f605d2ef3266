// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"errors"
	"math"
	"reflect"
	"testing"
)

func parsed(t *testing.T, text string) *Signature {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGoValuesBecomeArguments(t *testing.T) {
	s := parsed(t, "void(i8,u16,i64,u64,f32,f64,bool,str,in,out:4,io,null,sym)")
	type named int16
	r, err := NewRequest(s, -128, uint16(65535), named(-3), uint64(math.MaxUint64), 1.5, float32(2.5), true, "text", []byte{1}, "io", "strcmp")
	if err != nil {
		t.Fatal(err)
	}
	want := []Value{Int(-128), Uint(65535), Int(-3), Uint(math.MaxUint64), Float32(1.5), Float64(2.5), Boolean(true),
		String("text"), Bytes([]byte{1}), {}, String("io"), {}, String("strcmp")}
	if !reflect.DeepEqual(r.Args, want) {
		t.Errorf("%v, want %v", r.Args, want)
	}
}

func TestGoValueThatDoesNotFitIsRefused(t *testing.T) {
	for _, tt := range []struct {
		signature string
		arg       any
	}{
		{"void(i8)", 128}, {"void(i8)", -129}, {"void(u8)", -1}, {"void(u8)", 256}, {"void(i64)", uint64(1 << 63)},
		{"void(i32)", 1.0}, {"void(f64)", 1}, {"void(bool)", 1}, {"void(str)", []byte("x")}, {"void(str)", "a\x00b"},
		{"void(in)", 7}, {"void(sym)", "no symbol"}, {"void(i32)", nil}, {"void(in)", nil},
	} {
		_, err := NewRequest(parsed(t, tt.signature), tt.arg)
		if arg := (*ArgError)(nil); !errors.As(err, &arg) || arg.Arg != 1 {
			t.Errorf("%s of %#v: %v", tt.signature, tt.arg, err)
		}
	}
	_, err := NewRequest(parsed(t, "f64(f64)"), "x")
	if want := `argument 1 (f64): want a float32 or float64, got the Go string "x"`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err := NewRequest(parsed(t, "void(i8)")); err == nil {
		t.Error("a value is missing, and there is no error")
	}
}

func TestResultHasItsGoType(t *testing.T) {
	for _, tt := range []struct {
		returned string
		value    Value
		want     any
	}{
		{"i8", Int(-1), int64(-1)}, {"u64", Uint(math.MaxUint64), uint64(math.MaxUint64)}, {"f64", Float64(0.5), 0.5},
		{"f32", Float32(0.5), float32(0.5)}, {"bool", Boolean(true), true}, {"str", String("x"), "x"},
		{"str", Value{Null: true}, nil}, {"void", Value{}, nil},
	} {
		r := Result{Signature: parsed(t, tt.returned+"()"), Value: tt.value}
		if got := r.Any(); got != tt.want {
			t.Errorf("%s: %#v, want %#v", tt.returned, got, tt.want)
		}
	}
}
