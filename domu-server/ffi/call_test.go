// SPDX-License-Identifier: Apache-2.0

package ffi

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"hash/crc32"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/vlibos/vlibos/vlibcall/signature"
)

func TestScalarsOfEachKindAreCalled(t *testing.T) {
	const (
		mixed = "f64(i8,f32,i64,f64,u8,f32,i32,f64,u16,f32,u64,f64,i16,f32,u32,f64)"
		both  = "f64(f64,f64,f64,f64,f64,f64,f64,f64,f32,i8,i16,i32,i64,u8,u16,i8)"
	)
	for _, tt := range []struct {
		library, function, sig, words, want string
	}{
		{"libm.so.6", "cos", "f64(f64)", "0.5", "0.8775825618903728"},
		{"libm.so.6", "pow", "f64(f64,f64)", "2 0.5", "1.4142135623730951"},
		{"libm.so.6", "ldexp", "f64(f64,i32)", "0.75 -4", "0.046875"},
		{"libm.so.6", "sqrtf", "f32(f32)", "2", "1.4142135"},
		{"libm.so.6", "powf", "f32(f32,f32)", "-2 3", "-8"},
		{"libm.so.6", "lround", "i64(f64)", "-2.5", "-3"},
		{"libm.so.6", "sqrt", "f64(f64)", "-1", "NaN"},
		{"libc.so.6", "strlen", "u64(str)", "twelve_bytes", "12"},
		{"libc.so.6", "abs", "i32(i32)", "-2147483647", "2147483647"},
		{"libc.so.6", "strtol", "i64(str,null,i32)", "-ff 16", "-255"},
		{"libc.so.6", "strtoul", "u64(str,null,i32)", "18446744073709551615 10", "18446744073709551615"},
		{"libc.so.6", "strtod", "f64(str,null)", "1e-3", "0.001"},
		{"libc.so.6", "strerror", "str(i32)", "2", "No such file or directory"},
		{"libc.so.6", "toupper", "i32(i32)", "97", "65"},
		{testLibrary, "mixed16", mixed, "-1 0.5 -3 4.25 250 -6 -7 8 60000 10 11 12 -13 14 4000000000 16",
			"60000541885"},
		{testLibrary, "ints16", "i64(" + many("i64", 16) + ")", counting(16), "1496"},
		{testLibrary, "floats16", "f32(" + many("f32,f64", 8) + ")", counting(16), "1496"},
		{testLibrary, "both_overflow", both, counting(16), "1496"},
		{testLibrary, "both_overflow", both, "0 0 0 0 0 0 0 0 1.5 0 0 0 0 0 0 -1", "-2.5"},
		{testLibrary, "dirty", "u8()", "", "128"},
		{testLibrary, "dirty", "i8()", "", "-128"},
		{testLibrary, "dirty", "u16()", "", strconv.Itoa(0xf080)},
		{testLibrary, "dirty", "i16()", "", strconv.Itoa(0xf080 - 1<<16)},
		{testLibrary, "dirty", "u32()", "", strconv.Itoa(0xcafef080)},
		{testLibrary, "dirty", "i32()", "", strconv.Itoa(0xcafef080 - 1<<32)},
		{testLibrary, "dirty", "u64()", "", strconv.FormatUint(0xdeadbeefcafef080, 10)},
		{testLibrary, "dirty", "bool()", "", "true"},
		{testLibrary, "dirty", "f32()", "", "-8353856"},
		{testLibrary, "dirty", "void()", "", ""},
		{testLibrary, "is_true", "bool(bool)", "true", "true"},
		{testLibrary, "is_true", "bool(bool)", "false", "false"},
		{testLibrary, "is_null", "i32(null)", "", "1"},
		{testLibrary, "is_null", "i32(in)", "text:", "0"},
		{testLibrary, "is_null", "i32(io)", "text:", "0"},
		{testLibrary, "misaligned", "i32()", "", "0"},
		{testLibrary, "maybe", "str(i32)", "1", "yes"},
		{testLibrary, "maybe", "str(i32)", "0", "NULL"},
		{testLibrary, "at_the_edge", "str()", "", "edge"},
		{testLibrary, "call_with_table", "i32(sym)", "first_of", "1"},
		{testLibrary, "first_of", "i32(in)", "hex:07000000", "7"},
	} {
		r := call(t, open(t, tt.library), tt.function, tt.sig, strings.Fields(tt.words)...)
		var out bytes.Buffer
		r.Errno, r.Buffers = 0, nil
		if err := signature.Render(&out, r); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSuffix(out.String(), "\n"); got != tt.want {
			t.Errorf("%s %s %s = %s, want %s", tt.function, tt.sig, tt.words, got, tt.want)
		}
	}
}

func many(arg string, n int) string { return strings.TrimSuffix(strings.Repeat(arg+",", n), ",") }

func counting(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprint(&b, i+1, " ")
	}
	return b.String()
}

func TestLargeInputIsPassedToTheFunction(t *testing.T) {
	data := make([]byte, 1<<20)
	rand.Read(data)
	req := request(t, "u64(u64,in,u32)", "0", "text:", "1048576")
	req.Args[1] = signature.Bytes(data)
	if got, want := invoke(t, open(t, "libz.so.1"), "crc32", req).Value.Uint(), uint64(crc32.ChecksumIEEE(data)); got != want {
		t.Errorf("crc32 = %#x, want %#x", got, want)
	}
}

func TestCallbackSortsACopyOfTheRecords(t *testing.T) {
	const width, n = 16, 2000
	records := make([]string, n)
	for i := range records {
		records[i] = fmt.Sprintf("%x", crc32.ChecksumIEEE([]byte{byte(i), byte(i >> 8)}))
	}
	flat := make([]byte, n*width)
	for i, r := range records {
		copy(flat[i*width:], r)
	}
	before := bytes.Clone(flat)
	req := request(t, "void(io,u64,u64,sym)", "text:", strconv.Itoa(n), strconv.Itoa(width), "strcmp")
	req.Args[0] = signature.Bytes(flat)
	r := invoke(t, open(t, "libc.so.6"), "qsort", req)
	slices.Sort(records)
	for i, want := range records {
		if got := string(bytes.TrimRight(r.Buffers[0].Bytes[i*width:][:width], "\x00")); got != want {
			t.Fatalf("record %d is %q, want %q", i, got, want)
		}
	}
	if !bytes.Equal(flat, before) {
		t.Error("the caller's records changed")
	}
}

func TestBuffersAreReadAndWritten(t *testing.T) {
	l := open(t, testLibrary)
	r := call(t, l, "fill", "void(out:5,u64,u8)", "3", "7")
	if want := []byte{7, 7, 7, 0, 0}; !bytes.Equal(r.Buffers[0].Bytes, want) {
		t.Errorf("out buffer %v, want %v", r.Buffers[0].Bytes, want)
	}
	r = call(t, l, "fill", "void(io,u64,u8)", "abcde", "2", "120")
	if string(r.Buffers[0].Bytes) != "xxcde" {
		t.Errorf("io buffer %q", r.Buffers[0].Bytes)
	}
	if r = call(t, l, "sum", "u64(in,u64)", "hex:01ff10", "3"); r.Value.Uint() != 0x110 {
		t.Errorf("sum = %#x", r.Value.Uint())
	}
}

// A variadic function reads the number of its floats in AL.
func TestVariadicFunctionsGetTheirFloats(t *testing.T) {
	r := call(t, open(t, "libc.so.6"), "snprintf", "i32(out:64,u64,str,f64,i32,str)", "64", "%.2f/%d/%s", "2.5", "-3", "end")
	if got := string(bytes.TrimRight(r.Buffers[0].Bytes, "\x00")); got != "2.50/-3/end" || r.Value.Int() != 11 {
		t.Errorf("%q, %d", got, r.Value.Int())
	}
}

func TestErrnoIsZeroedBeforeAndReadAfterACall(t *testing.T) {
	l := open(t, testLibrary)
	for range 100 {
		if r := call(t, l, "fail", "i32(i32)", "42"); r.Errno != 42 || !r.ErrnoKnown || r.Value.Int() != -1 {
			t.Fatalf("errno %d, value %d", r.Errno, r.Value.Int())
		}
		if r := call(t, l, "read_errno", "i32()"); r.Value.Int() != 0 || r.Errno != 0 {
			t.Fatalf("errno is %d at the beginning of a call", r.Value.Int())
		}
		runtime.Gosched()
	}
	if r := call(t, open(t, "libc.so.6"), "chdir", "i32(str)", "/does/not/exist"); r.Errno != 2 || r.Value.Int() != -1 {
		t.Errorf("chdir: %d, errno %d", r.Value.Int(), r.Errno)
	}
}

// Many goroutines call during garbage collections, and while stacks grow and
// shrink: memory passed to C must not move.
func TestArgumentsDoNotMoveDuringConcurrentCalls(t *testing.T) {
	l := open(t, testLibrary)
	stop := make(chan struct{})
	var collector sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	})
	var callers sync.WaitGroup
	for g := range 8 {
		callers.Go(func() {
			for i := range 200 {
				req := request(t, "void(io,u64,u8)", strings.Repeat("-", 100+i), "50", strconv.Itoa(65+g))
				dst := make([]byte, req.ResultSize())
				n, err := l.Call("fill", req, dst)
				if err != nil {
					t.Error(err)
					return
				}
				var r signature.Result
				if err := r.Decode(dst[:n], req); err != nil {
					t.Error(err)
					return
				}
				want := strings.Repeat(string(rune(65+g)), 50) + strings.Repeat("-", 50+i)
				if got := string(r.Buffers[0].Bytes); got != want {
					t.Errorf("%q, want %q", got, want)
					return
				}
			}
		})
	}
	callers.Wait()
	close(stop)
	collector.Wait()
}
