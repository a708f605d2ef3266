// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func mustParse(t testing.TB, text string) *Signature {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"f64(f64)":                               "f64(f64)",
		"u64(u64, in, u32)":                      "u64(u64,in,u32)",
		" void\t( io ,u64,u64 , sym ) ":          "void(io,u64,u64,sym)",
		"i32(out:256, u64)":                      "i32(out:256,u64)",
		"i32(out : 4k, out:1m)":                  "i32(out:4096,out:1048576)",
		"str(i32)":                               "str(i32)",
		"bool()":                                 "bool()",
		"i64(str,null,i32)":                      "i64(str,null,i32)",
		"void(" + many("f32", 16) + ")":          "void(" + many("f32", 16) + ")",
		"u8(i8,i16,u8,u16,f32,bool,in)":          "u8(i8,i16,u8,u16,f32,bool,in)",
		"void(out:67108864)":                     "void(out:67108864)",
		"void(out:67108863,out:1,io,out:" + "0)": "",
	} {
		s, err := Parse(text)
		switch {
		case want == "" && err == nil:
			t.Errorf("Parse(%q) = %v, want an error", text, s)
		case want != "" && err != nil:
			t.Errorf("Parse(%q): %v", text, err)
		case want != "" && s.String() != want:
			t.Errorf("Parse(%q) = %q, want %q", text, s, want)
		}
	}
}

func many(arg string, n int) string {
	return strings.TrimSuffix(strings.Repeat(arg+",", n), ",")
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		text  string
		pos   int
		found string
		want  string // a part of Want
	}{
		{"", 1, "the end", "return type"},
		{"f65(f64)", 1, `"f65"`, "f64, str"},
		{"in(f64)", 1, `"in"`, "return type"},
		{"f64", 4, "the end", `"("`},
		{"f64(f64", 8, "the end", `"," or ")"`},
		{"f64(f64,", 9, "the end", "argument type"},
		{"f64(f64,)", 9, `")"`, "argument type"},
		{"f64(,f64)", 5, `","`, "argument type"},
		{"f64(f64) x", 10, `"x"`, "the end"},
		{"f64(f64 f64)", 9, `"f64"`, `","`},
		{"i32(void)", 5, `"void"`, `written "()"`},
		{"void(ptr)", 6, `"ptr"`, "address spaces"},
		{"char*(i32)", 1, `"char"`, "address spaces"},
		{"void(in*)", 8, `"*"`, "address spaces"},
		{"i32(str, ...)", 10, `"..."`, "variadic"},
		{"int(str)", 1, `"int"`, "i32"},
		{"void(size_t)", 6, `"size_t"`, "u64"},
		{"void(out)", 9, `")"`, "out:256"},
		{"void(out:)", 10, `")"`, "from 1 to"},
		{"void(out:0)", 10, `"0"`, "from 1 to 67108864"},
		{"void(out:64m, out:1)", 19, `"1"`, "together"},
		{"void(out:4294967296)", 10, `"4294967296"`, "from 1 to"},
		{"void(out:4194304k)", 10, `"4194304k"`, "from 1 to"},
		{"void(out:-1)", 10, `"-"`, "from 1 to"},
		{"void(" + many("u8", 17) + ")", 54, "argument 17", "at most 16"},
		{"void(\xff)", 6, `"\xff"`, "argument type"},
		{"void(ö)", 6, `"ö"`, "argument type"},
		{strings.Repeat(" ", 513), 513, "513 bytes", "at most 512"},
	} {
		_, err := Parse(tt.text)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("Parse(%.40q): error %v, want a SyntaxError", tt.text, err)
			continue
		}
		if syntax.Pos != tt.pos || syntax.Found != tt.found || !strings.Contains(syntax.Want, tt.want) {
			t.Errorf("Parse(%.40q): %v\nwant position %d, found %s, want …%s…", tt.text, err, tt.pos, tt.found, tt.want)
		}
	}
}

// genType draws an argument type whose out buffers stay small.
func genType() *rapid.Generator[Type] {
	return rapid.Custom(func(t *rapid.T) Type {
		k := Kind(rapid.IntRange(int(I8), int(Null)).Draw(t, "kind"))
		if k == Out {
			return Type{Kind: k, Size: rapid.IntRange(1, 100).Draw(t, "size")}
		}
		return Type{Kind: k}
	})
}

func genSignature() *rapid.Generator[*Signature] {
	return rapid.Custom(func(t *rapid.T) *Signature {
		s := &Signature{
			ret:  Type{Kind: Kind(rapid.IntRange(int(Void), int(Str)).Draw(t, "return"))},
			args: rapid.SliceOfN(genType(), 0, MaxArgs).Draw(t, "args"),
		}
		s.text = s.canonical()
		return s
	})
}

func TestCanonicalFormParses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := genSignature().Draw(t, "signature")
		again, err := Parse(s.text)
		if err != nil {
			t.Fatal(err)
		}
		if again.text != s.text || again.ret != s.ret || len(again.args) != len(s.args) {
			t.Fatalf("%q parses as %q", s, again)
		}
		for i := range s.args {
			if again.Arg(i) != s.Arg(i) {
				t.Fatalf("%q: argument %d parses as %v", s, i+1, again.Arg(i))
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"f64(f64)", "i32(out:4k, u64)", "void(io,u64,u64,sym)", "str()", "f64(...", "u8(\xff\xfe)"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Pos < 1 || syntax.Pos > len(text)+1 {
				t.Fatalf("Parse(%q): %v", text, err)
			}
			return
		}
		if again := mustParse(t, s.String()); again.String() != s.String() {
			t.Fatalf("%q is not stable: %q", s, again)
		}
		if s.NumArgs() > MaxArgs || len(s.String()) > MaxText {
			t.Fatalf("%q exceeds a limit", s)
		}
	})
}
