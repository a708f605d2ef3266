// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseValues(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, []byte("from file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		sig   string
		words []string
		want  []Value
	}{
		{"f64(f64)", []string{"0.5"}, []Value{Float64(0.5)}},
		{"f64(f64,f64)", []string{"-inf", "0x1p-2"}, []Value{Float64(math.Inf(-1)), Float64(0.25)}},
		{"f32(f32)", []string{"0.1"}, []Value{Float32(0.1)}},
		{"void(i8,i8)", []string{"-128", "+127"}, []Value{Int(-128), Int(127)}},
		{"void(i64,i64)", []string{"-9223372036854775808", "9223372036854775807"}, []Value{Int(math.MinInt64), Int(math.MaxInt64)}},
		{"void(u64,u8)", []string{"0xffffFFFFffffFFFF", "010"}, []Value{Uint(math.MaxUint64), Uint(10)}},
		{"void(i32,u8)", []string{"-0x10", "-0"}, []Value{Int(-16), Uint(0)}},
		{"void(bool,bool)", []string{"true", "0"}, []Value{Boolean(true), Boolean(false)}},
		{"void(str,sym)", []string{"@hex:-", "strcmp"}, []Value{String("@hex:-"), String("strcmp")}},
		{"void(in,in,in)", []string{"-", "hex:00fF", "text:@x"}, []Value{String("-"), Bytes([]byte{0, 255}), String("@x")}},
		{"void(in,io)", []string{"@" + file, "@-"}, []Value{String("from file"), String("from stdin")}},
		{"i32(out:256,u64)", []string{"len:1"}, []Value{{}, Uint(256)}},
		{"i64(str,null,i32)", []string{"12", "len:1"}, []Value{String("12"), {}, Int(2)}},
		{"u64(u64,u32,in)", []string{"0", "len:3", "hello"}, []Value{Uint(0), Uint(5), String("hello")}},
	} {
		req, err := ParseValues(mustParse(t, tt.sig), tt.words, Files(strings.NewReader("from stdin")))
		if err != nil {
			t.Errorf("%s %q: %v", tt.sig, tt.words, err)
			continue
		}
		for i, want := range tt.want {
			if !sameValue(req.Args[i], want) {
				t.Errorf("%s %q: argument %d is %+v, want %+v", tt.sig, tt.words, i+1, req.Args[i], want)
			}
		}
	}
}

func TestParseValuesErrors(t *testing.T) {
	for _, tt := range []struct {
		sig   string
		words []string
		want  string
	}{
		{"f64(f64)", nil, "signature f64(f64) takes 1 value (out and null take none), got 0"},
		{"i32(out:4,null)", []string{"1"}, "takes 0 values (out and null take none), got 1"},
		{"void(f64,u8)", []string{"1", "256"}, "argument 2 (u8): 256 is out of range, 0 to 255"},
		{"void(u8)", []string{"-1"}, "argument 1 (u8): -1 is out of range, 0 to 255"},
		{"void(i8)", []string{"-129"}, "-129 is out of range, -128 to 127"},
		{"void(i8)", []string{"128"}, "128 is out of range, -128 to 127"},
		{"void(i64)", []string{"9223372036854775808"}, "out of range, -9223372036854775808 to 9223372036854775807"},
		{"void(i64)", []string{"-9223372036854775809"}, "out of range"},
		{"void(u64)", []string{"18446744073709551616"}, "out of range, 0 to 18446744073709551615"},
		{"void(i32)", []string{"1.5"}, `"1.5" is not an integer`},
		{"void(i32)", []string{""}, `"" is not an integer`},
		{"void(i32)", []string{"--1"}, `"--1" is not an integer`},
		{"void(i32)", []string{"0x"}, "not an integer"},
		{"void(i32)", []string{"ff"}, "not an integer"},
		{"void(f32)", []string{"1e39"}, "argument 1 (f32): 1e39 is out of the range of f32"},
		{"void(f64)", []string{"half"}, `"half" is not a number`},
		{"void(bool)", []string{"yes"}, "true, false, 1 or 0"},
		{"void(sym)", []string{"a-b"}, "argument 1 (sym): "},
		{"void(in)", []string{"hex:0"}, "argument 1 (in): "},
		{"void(in)", []string{"hex:zz"}, "invalid byte"},
		{"void(in)", []string{"@/does/not/exist"}, "no such file"},
		{"void(in,in)", []string{"@-", "@-"}, "argument 2 (in): standard input can be given to one argument only"},
		{"void(u8,in)", []string{"len:2", strings.Repeat("x", 256)}, "argument 1 (u8): 256 is out of range"},
		{"void(u8)", []string{"len:2"}, "argument from 1 to 1"},
		{"void(u8,f64)", []string{"len:2", "1"}, "argument 2 is f64 and has no length"},
	} {
		_, err := ParseValues(mustParse(t, tt.sig), tt.words, Files(strings.NewReader("")))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %.40q: error %v, want …%s…", tt.sig, tt.words, err, tt.want)
		}
		if len(tt.words) == mustParse(t, tt.sig).numValues() {
			var arg *ArgError
			if !errors.As(err, &arg) {
				t.Errorf("%s %.40q: %v is not an ArgError", tt.sig, tt.words, err)
			}
		}
	}
	if _, err := ParseValues(mustParse(t, "void(in)"), []string{"@x"}, nil); err == nil {
		t.Error("a file is read without a loader")
	}
}

func TestLoaderLimit(t *testing.T) {
	load := Files(strings.NewReader("12345"))
	if _, err := load("-", 4); err == nil || !strings.Contains(err.Error(), "more than 4 bytes") {
		t.Errorf("error %v", err)
	}
	if b, err := Files(strings.NewReader("12345"))("-", 5); err != nil || string(b) != "12345" {
		t.Errorf("%q, %v", b, err)
	}
}
