// SPDX-License-Identifier: Apache-2.0

package ffi

import (
	"testing"

	"github.com/vlibos/vlibos/vlibcall/signature"
)

// The cost of a call beyond the function's own, from the encoded request to the
// encoded result.
func BenchmarkServe(b *testing.B) {
	for _, bench := range []struct {
		name, library, function, sig string
		words                        []string
	}{
		{"cos", "libm.so.6", "cos", "f64(f64)", []string{"0.5"}},
		{"abs", "libc.so.6", "abs", "i32(i32)", []string{"-5"}},
		{"mixed16", testLibrary, "both_overflow", "f64(f64,f64,f64,f64,f64,f64,f64,f64,f32,i8,i16,i32,i64,u8,u16,i8)",
			[]string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			req := request(b, bench.sig, bench.words...)
			message, err := req.Append(nil)
			if err != nil {
				b.Fatal(err)
			}
			l, err := Open(bench.library)
			if err != nil {
				b.Fatal(err)
			}
			var got signature.Request
			dst := make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				if err := got.Decode(message); err != nil {
					b.Fatal(err)
				}
				if n, err := l.Call(bench.function, &got, dst); n != req.ResultSize() || err != nil {
					b.Fatalf("a result of %d bytes, %v", n, err)
				}
			}
		})
	}
}
