// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func FuzzDecodeRequest(f *testing.F) {
	for _, text := range []string{"f64(f64)", "void(io,u64,u64,sym)", "i32(out:9,str,bool,null)"} {
		r := Request{Signature: mustParse(f, text)}
		for _, t := range r.Signature.args {
			v := Value{}
			if t.Kind == Sym {
				v = String("strcmp")
			}
			r.Args = append(r.Args, v)
		}
		b, err := r.Append(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Request
		if r.Decode(b) != nil {
			return
		}
		// The encoding is unique: what decodes, encodes to the same bytes.
		again, err := r.Append(nil)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("decoded from\n%s\nencodes (%v) to\n%s", hex.Dump(b), err, hex.Dump(again))
		}
	})
}

func FuzzDecodeResult(f *testing.F) {
	f.Add("str(out:3,io)", 5, unhex(f, "01 02 0100 02000000 0500000000000000 0300000000000000 7879000000000000 0500000000000000 4142434445000000 68656c6c6f000000"))
	f.Add("f64(f64)", 0, unhex(f, "01 02 0100 00000000 000000000000f03f"))
	f.Fuzz(func(t *testing.T, sig string, n int, b []byte) {
		s, err := Parse(sig)
		if err != nil || n < 0 || n > 1000 {
			return
		}
		req := Request{Signature: s, Args: make([]Value, s.NumArgs())}
		for i := range req.Args {
			if s.Arg(i).Kind == IO {
				req.Args[i].Bytes = make([]byte, n)
			}
		}
		var r Result
		if r.Decode(b, &req) != nil {
			return
		}
		if err := Render(new(bytes.Buffer), &r); err != nil {
			t.Fatal(err)
		}
		if _, err := MarshalJSON(&r); err != nil {
			t.Fatal(err)
		}
		for _, buffer := range r.Buffers {
			if len(buffer.Bytes) != req.bufferLen(buffer.Arg) {
				t.Fatalf("argument %d has %d bytes", buffer.Arg+1, len(buffer.Bytes))
			}
		}
	})
}
