// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func unhex(t testing.TB, lines ...string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Join(lines, ""), " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The bytes are written out from the package comment, not by the encoder.
func TestGoldenRequest(t *testing.T) {
	s := mustParse(t, "i8(i8,in,str,out:3,f32,null)")
	req := Request{Signature: s, Args: []Value{Int(-2), Bytes([]byte{1, 2, 3}), String("12345678"), {}, Float32(1), {}}}
	want := unhex(t,
		"01 01 1c00 00000000",
		hex.EncodeToString([]byte("i8(i8,in,str,out:3,f32,null)")), "00000000",
		"feffffffffffffff",
		"0300000000000000 010203 0000000000",
		"0800000000000000 3132333435363738 0000000000000000",
		"0000803f 00000000")
	got, err := req.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("got\n%s\nwant\n%s", hex.Dump(got), hex.Dump(want))
	}
}

func TestGoldenResult(t *testing.T) {
	req := Request{Signature: mustParse(t, "str(out:3,io)"), Args: []Value{{}, Bytes([]byte("abcdefgh"))}}
	dst := bytes.Repeat([]byte{0xee}, 200)
	used, buffers, err := LayoutResult(dst, &req, nil)
	if err != nil {
		t.Fatal(err)
	}
	copy(buffers[0].Bytes, "xy")
	buffers[1].Bytes[0] = 'A'
	n, err := FinishResult(dst, used, req.Signature, String("hello"), 2)
	if err != nil {
		t.Fatal(err)
	}
	want := unhex(t,
		"01 02 0100 02000000 0500000000000000",
		"0300000000000000 787900 0000000000",
		"0800000000000000 4162636465666768",
		"68656c6c6f 000000")
	if !bytes.Equal(dst[:n], want) {
		t.Fatalf("got\n%s\nwant\n%s", hex.Dump(dst[:n]), hex.Dump(want))
	}
	if n != req.ResultSize()+stringSize(5) {
		t.Fatalf("size %d, announced %d", n, req.ResultSize()+stringSize(5))
	}
}

func genValue(t *rapid.T, k Kind) Value {
	switch {
	case k.Signed():
		return Int(rapid.Int64().Draw(t, "int") >> (64 - k.Bits()))
	case k.Unsigned():
		return Uint(rapid.Uint64().Draw(t, "uint") >> (64 - k.Bits()))
	case k == Bool:
		return Boolean(rapid.Bool().Draw(t, "bool"))
	case k == F32:
		return Float32(rapid.Float32().Draw(t, "f32"))
	case k == F64:
		return Float64(rapid.Float64().Draw(t, "f64"))
	case k == Str:
		return String(rapid.StringMatching(`[^\x00]{0,20}`).Draw(t, "str"))
	case k == Sym:
		return String(rapid.StringMatching(`[a-zA-Z_][a-zA-Z0-9_]{0,20}`).Draw(t, "sym"))
	case k == In || k == IO:
		return Bytes(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes"))
	}
	return Value{}
}

func genRequest() *rapid.Generator[Request] {
	return rapid.Custom(func(t *rapid.T) Request {
		r := Request{Signature: genSignature().Draw(t, "signature")}
		for _, arg := range r.Signature.args {
			r.Args = append(r.Args, genValue(t, arg.Kind))
		}
		return r
	})
}

func sameValue(a, b Value) bool {
	return a.Bits == b.Bits && bytes.Equal(a.Bytes, b.Bytes) && a.Null == b.Null
}

func TestRequestRoundTrip(t *testing.T) {
	var got Request // kept, as a server keeps it
	rapid.Check(t, func(t *rapid.T) {
		req := genRequest().Draw(t, "request")
		b, err := req.Append([]byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		b = b[len("before"):]
		if size, err := req.Size(); err != nil || size != len(b) {
			t.Fatalf("Size = %d, %v; %d bytes encoded", size, err, len(b))
		}
		if err := got.Decode(b); err != nil {
			t.Fatal(err)
		}
		if got.Signature.String() != req.Signature.String() || len(got.Args) != len(req.Args) {
			t.Fatalf("%s with %d values", got.Signature, len(got.Args))
		}
		for i, v := range req.Args {
			if !sameValue(v, got.Args[i]) {
				t.Fatalf("argument %d: %v, want %v", i+1, got.Args[i], v)
			}
			if k := req.Signature.args[i].Kind; k == Str || k == Sym {
				c := got.Args[i].Bytes
				if cap(c) != len(c)+1 || c[:cap(c)][len(c)] != 0 {
					t.Fatalf("argument %d: no NUL after %q", i+1, c)
				}
			}
		}
		// Every truncation and every extension is refused.
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if (&Request{}).Decode(b[:cut]) == nil {
			t.Fatalf("decodes when cut to %d of %d bytes", cut, len(b))
		}
		if (&Request{}).Decode(append(b, 0)) == nil {
			t.Fatal("decodes with a byte more")
		}
	})
}

func TestResultRoundTrip(t *testing.T) {
	var got Result
	rapid.Check(t, func(t *rapid.T) {
		req := genRequest().Draw(t, "request")
		value := genValue(t, req.Signature.ret.Kind)
		if req.Signature.ret.Kind == Str && rapid.Bool().Draw(t, "null") {
			value = Value{Null: true}
		}
		errno := rapid.Int32().Draw(t, "errno")
		dst := bytes.Repeat([]byte{0xee}, req.ResultSize()+stringSize(len(value.Bytes))+rapid.IntRange(0, 9).Draw(t, "spare"))
		used, buffers, err := LayoutResult(dst, &req, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range buffers {
			want := req.Args[b.Arg].Bytes
			if req.Signature.args[b.Arg].Kind == Out {
				want = make([]byte, req.Signature.args[b.Arg].Size)
			}
			if !bytes.Equal(b.Bytes, want) {
				t.Fatalf("argument %d laid out as %x, want %x", b.Arg+1, b.Bytes, want)
			}
			for i := range b.Bytes {
				b.Bytes[i] ^= byte(i + 1)
			}
		}
		n, err := FinishResult(dst, used, req.Signature, value, errno)
		if err != nil {
			t.Fatal(err)
		}
		if err := got.Decode(dst[:n], &req); err != nil {
			t.Fatal(err)
		}
		if !sameValue(got.Value, value) || got.Errno != errno || !got.ErrnoKnown || len(got.Buffers) != len(buffers) {
			t.Fatalf("got %+v, want value %+v, errno %d", got, value, errno)
		}
		for i, b := range buffers {
			if got.Buffers[i].Arg != b.Arg || !bytes.Equal(got.Buffers[i].Bytes, b.Bytes) {
				t.Fatalf("buffer %d: %+v, want %+v", i, got.Buffers[i], b)
			}
		}
		cut := rapid.IntRange(0, n-1).Draw(t, "cut")
		if (&Result{}).Decode(dst[:cut], &req) == nil {
			t.Fatalf("decodes when cut to %d of %d bytes", cut, n)
		}
	})
}

func TestDecodeAllocatesNothing(t *testing.T) {
	req := Request{Signature: mustParse(t, "u64(u64,in,u32,io)"), Args: []Value{Uint(1), Bytes(make([]byte, 4096)), Uint(4096), Bytes(make([]byte, 100))}}
	size, err := req.Size()
	if err != nil {
		t.Fatal(err)
	}
	b, dst := make([]byte, 0, size), make([]byte, req.ResultSize())
	var in Request
	var out Result
	buffers := make([]Buffer, 0, MaxArgs)
	round := func() {
		b, _ = req.Append(b[:0])
		if err := in.Decode(b); err != nil {
			t.Fatal(err)
		}
		used, _, err := LayoutResult(dst, &in, buffers)
		if err != nil {
			t.Fatal(err)
		}
		n, err := FinishResult(dst, used, in.Signature, Uint(7), 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := out.Decode(dst[:n], &req); err != nil {
			t.Fatal(err)
		}
	}
	round()
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("%v allocations a call, want none", n)
	}
}
