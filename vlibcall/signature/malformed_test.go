// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestRequestRefused(t *testing.T) {
	for _, tt := range []struct {
		sig  string
		arg  Value
		want string
	}{
		{"void(i8)", Int(128), "128 is out of the range of i8"},
		{"void(u16)", Uint(65536), "65536 is out of the range of u16"},
		{"void(bool)", Uint(2), "neither 0 nor 1"},
		{"void(f32)", Float64(1), "only 32 bits"},
		{"void(str)", String("a\x00b"), "NUL"},
		{"void(sym)", String("a b"), "identifier"},
		{"void(sym)", String(""), "identifier"},
		{"void(in)", Bytes(make([]byte, MaxSize+1)), "at most"},
	} {
		req := Request{Signature: mustParse(t, tt.sig), Args: []Value{tt.arg}}
		_, err := req.Append(nil)
		var arg *ArgError
		if !errors.As(err, &arg) || arg.Arg != 1 || !strings.Contains(arg.Problem, tt.want) {
			t.Errorf("%s: error %v, want …%s…", tt.sig, err, tt.want)
		}
	}
	req := Request{Signature: mustParse(t, "void(in)"), Args: []Value{Bytes(make([]byte, MaxSize))}}
	if _, err := req.Append(nil); err == nil {
		t.Error("a request larger than MaxSize is encoded")
	}
	req.Args = nil
	if _, err := req.Append(nil); err == nil {
		t.Error("a request without its value is encoded")
	}
}

func TestMalformedRequest(t *testing.T) {
	good, err := (&Request{Signature: mustParse(t, "void(i8,str)"), Args: []Value{Int(1), String("abc")}}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	// 8 header, 16 signature, 8 scalar, 8 length, 8 string
	for _, tt := range []struct {
		at   int
		b    byte
		want int // offset in the error
	}{
		{0, 2, 0}, {1, 2, 1}, {2, 255, 8}, {3, 3, 2}, {4, 1, 4}, {20, 1, 20},
		{25, 1, 24}, {32, 200, 40}, {39, 255, 40}, {41, 0, 41}, {43, 'x', 43},
	} {
		b := bytes.Clone(good)
		b[tt.at] = tt.b
		err := (&Request{}).Decode(b)
		var format *FormatError
		if !errors.As(err, &format) || format.Offset != tt.want {
			t.Errorf("byte %d set to %d: error %v, want one at byte %d", tt.at, tt.b, err, tt.want)
		}
	}
	b := bytes.Clone(good)
	b[8] = 'V'
	var syntax *SyntaxError
	if err := (&Request{}).Decode(b); !errors.As(err, &syntax) {
		t.Errorf("wrong signature: error %v, want a SyntaxError", err)
	}
	copy(b[8:], "void(i8, i8)")
	if err := (&Request{}).Decode(b); err == nil || !strings.Contains(err.Error(), "canonical") {
		t.Errorf("signature not in canonical form: error %v", err)
	}
}

func TestMalformedResult(t *testing.T) {
	for _, tt := range []struct{ sig, message string }{
		{"void()", ""},
		{"void()", "01"},
		{"void()", "01 02 0000 00000000"},
		{"void()", "01 01 0000 00000000 0000000000000000"},                 // a request
		{"void()", "01 02 0000 00000000 0100000000000000"},                 // a value
		{"void()", "01 02 0000 01000000 0000000000000000"},                 // errno, unknown
		{"void()", "01 02 0400 00000000 0000000000000000"},                 // unknown flag
		{"i32()", "01 02 0200 00000000 0000000000000000"},                  // null number
		{"i32()", "01 02 0000 00000000 0000000001000000"},                  // too wide
		{"str()", "01 02 0200 00000000 0100000000000000"},                  // null with length
		{"str()", "01 02 0000 00000000 0000000000000000"},                  // no NUL
		{"str()", "01 02 0000 00000000 ffffffffffffffff"},                  // no such length
		{"str()", "01 02 0000 00000000 0100000000000000 0000000000000000"}, // NUL in it
		{"void(out:1)", "01 02 0000 00000000 0000000000000000 0200000000000000 0102000000000000"},
		{"void(out:1)", "01 02 0000 00000000 0000000000000000 ffffffffffffffff 0100000000000000"},
		{"void(out:1)", "01 02 0000 00000000 0000000000000000 0100000000000000 0101000000000000"},
		{"void()", "01 03 0000 00000000 0000000000000000"}, // no such kind
	} {
		req := Request{Signature: mustParse(t, tt.sig), Args: make([]Value, 1)}
		var format *FormatError
		if err := (&Result{}).Decode(unhex(t, tt.message), &req); !errors.As(err, &format) {
			t.Errorf("%s, %s: error %v, want a FormatError", tt.sig, tt.message, err)
		}
	}
}

func TestResultDoesNotFit(t *testing.T) {
	req := Request{Signature: mustParse(t, "str(out:100)"), Args: make([]Value, 1)}
	dst := make([]byte, req.ResultSize()+8)
	var size *SizeError
	if _, _, err := LayoutResult(dst[:req.ResultSize()-1], &req, nil); !errors.As(err, &size) || size.Need != req.ResultSize() {
		t.Errorf("layout: error %v", err)
	}
	used, _, err := LayoutResult(dst, &req, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := FinishResult(dst, used, req.Signature, String("12345678"), 0); !errors.As(err, &size) || size.Need != len(dst)+8 {
		t.Errorf("string: error %v", err)
	}
	if _, err := FinishResult(dst, used, req.Signature, String("1234567"), 0); err != nil {
		t.Errorf("string that just fits: %v", err)
	}
	if _, err := FinishResult(dst, used, mustParse(t, "i8()"), Int(1000), 0); err == nil {
		t.Error("an i8 of 1000 is encoded")
	}
}
