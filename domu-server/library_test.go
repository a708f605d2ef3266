// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/signature"
)

func TestScalarFunctionIsCalled(t *testing.T) {
	v := serve(t, Options{})
	r, err := invoke(t.Context(), v.Channel, "libm.so.6", "cos", request(t, "f64(f64)", "0.5"))
	if err != nil || fmt.Sprint(r.Value.Float64()) != "0.8775825618903728" {
		t.Errorf("%v, %v", r, err)
	}
}

func TestLargeBufferIsPassed(t *testing.T) {
	v := serve(t, Options{})
	data := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{1}).Read(data)
	req := request(t, "u64(u64,in,u32)", "0", "", "1048576")
	req.Args[1] = signature.Bytes(data)
	r, err := invoke(t.Context(), v.Channel, "libz.so.1", "crc32", req)
	if err != nil || r.Value.Uint() != uint64(crc32.ChecksumIEEE(data)) {
		t.Errorf("%v, %v, want %d", r, err, crc32.ChecksumIEEE(data))
	}
}

func TestBufferIsChangedInPlace(t *testing.T) {
	v := serve(t, Options{})
	const n, size = 5000, 16
	var records []string
	for i := range n {
		records = append(records, fmt.Sprintf("%015d", (i*7919)%n))
	}
	data := []byte(strings.Join(records, "\x00") + "\x00")
	req := request(t, "void(io,u64,u64,sym)", "", strconv.Itoa(n), strconv.Itoa(size), "strcmp")
	req.Args[0] = signature.Bytes(data)
	r, err := invoke(t.Context(), v.Channel, "libc.so.6", "qsort", req)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(records)
	if string(r.Buffers[0].Bytes) != strings.Join(records, "\x00")+"\x00" {
		t.Error("not sorted")
	}
}

func TestBuffersOfAllSizesPassUnchanged(t *testing.T) {
	v := serve(t, Options{})
	for _, n := range []int{0, 1, 7, 8, 900, 960, 992, 993, 1000, 4096, 1 << 20} {
		req := request(t, "u64(in,u64)", "", strconv.Itoa(n))
		req.Args[0] = signature.Bytes(bytes.Repeat([]byte{3}, n))
		r, err := invoke(t.Context(), v.Channel, library("libtest.so"), "sum", req)
		if err != nil || r.Value.Uint() != uint64(3*n) {
			t.Errorf("sum of %d bytes: %v, %v", n, r, err)
		}
		if n == 0 {
			continue // out:0 is not a type
		}
		r, err = v.try("fill", fmt.Sprintf("void(out:%d,u64)", n), strconv.Itoa(n))
		if err != nil || !bytes.Equal(r.Buffers[0].Bytes, bytes.Repeat([]byte{'x'}, n)) {
			t.Errorf("fill of %d bytes: %v", n, err)
		}
	}
}

// A C compiler may rely on the alignment of the memory that a pointer refers
// to.
func TestBuffersAreAligned(t *testing.T) {
	v := serve(t, Options{})
	for _, size := range []int{8, 2000} {
		for n := 1; n <= 8; n++ {
			text := strings.Repeat("x", size)
			if rest := v.number("abcdefgh"[:n], "u64(in,io,out:16)", text, text); rest != 0 {
				t.Errorf("name of %d letters, buffers of %d bytes: off by %d", n, size, rest)
			}
		}
	}
}

func TestLibraryKeepsStateAndThread(t *testing.T) {
	v := serve(t, Options{})
	thread, process := v.number("thread", "i32()"), v.number("process", "i32()")
	if thread != process {
		t.Errorf("thread %d is not the main thread of process %d", thread, process)
	}
	for i := range int64(20) {
		if n := v.number("count", "i32()"); n != i+1 {
			t.Fatalf("call %d counts %d", i+1, n)
		}
		if again := v.number("thread", "i32()"); again != thread {
			t.Fatalf("call %d on thread %d, the first one on %d", i, again, thread)
		}
	}
}

func TestSessionCallsALibrary(t *testing.T) {
	v := serve(t, Options{})
	s, err := v.Session(t.Context(), library("libtest.so"), "count")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	req := request(t, "i32()")
	b, err := req.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(10) {
		out, err := s.Call(t.Context(), b, nil)
		if err != nil {
			t.Fatal(err)
		}
		var r signature.Result
		if err := r.Decode(out, req); err != nil || r.Value.Int() != i+1 {
			t.Fatalf("%v, %v", r.Value.Int(), err)
		}
	}
}

func TestEachErrorHasItsReason(t *testing.T) {
	v := serve(t, Options{})
	half := request(t, "f64(f64)", "0.5")
	encoded, err := half.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	noSignature := bytes.Clone(encoded)
	noSignature[8] = 'g'
	missingSymbol, err := request(t, "void(io,u64,u64,sym)", "x", "1", "1", "nosuch").Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	large := binary.LittleEndian.AppendUint64(bytes.Clone(encoded), 1)
	for _, tt := range []struct {
		library, function string
		input             []byte
		want              error
		detail            string
	}{
		{"libnosuch.so.1", "f", encoded, vlibcall.ErrNoLibrary, "libnosuch.so.1"},
		{"libnosuch.so.1", "f", []byte("hello"), vlibcall.ErrNoLibrary, "libnosuch.so.1"},
		{"libm.so.6", "cos", []byte("hello"), vlibcall.ErrBadRequest, "libm.so.6 is a C library: its functions need a signature"},
		{"libm.so.6", "cos", []byte("some text"), vlibcall.ErrBadRequest, "need a signature"},
		{"../libm.so.6", "f", encoded, vlibcall.ErrNoLibrary, "soname"},
		{library("libnosuch.so"), "f", encoded, vlibcall.ErrNoLibrary, "no such file"},
		{library("library.c"), "f", encoded, vlibcall.ErrNoLibrary, "library.c"},
		{"/etc/passwd", "f", encoded, vlibcall.ErrDenied, "--libraries"},
		{"libm.so.6", "nosuch", encoded, vlibcall.ErrNoFunction, "nosuch"},
		{"libm.so.6", "a b\x1b", encoded, vlibcall.ErrNoFunction, "not the name of a C symbol"},
		{"libc.so.6", "qsort", missingSymbol, vlibcall.ErrNoFunction, "nosuch"},
		{"libm.so.6", "cos", noSignature, vlibcall.ErrSignature, ""},
		{"libm.so.6", "cos", nil, vlibcall.ErrBadRequest, "header"},
		{"libm.so.6", "cos", large, vlibcall.ErrBadRequest, "after the end"},
		{"vlib", "nosuch", nil, vlibcall.ErrNoFunction, "nosuch"},
	} {
		_, err := v.Call(t.Context(), tt.library, tt.function, tt.input, nil)
		if !t.Run(tt.library+":"+tt.function, func(t *testing.T) { fails(t, err, tt.want, tt.detail) }) {
			continue
		}
		if r, err := invoke(t.Context(), v.Channel, "libm.so.6", "cos", half); err != nil || r.Value.Float64() == 0 {
			t.Fatalf("after %s:%s: %v", tt.library, tt.function, err)
		}
	}
	// No worker is kept for libraries that cannot be loaded.
	if running := v.services().Worker.Running; len(running) != 2 {
		t.Errorf("workers for %q", running)
	}
}

// The channel size that the error recommends is sufficient.
func TestTooLargeResultNamesTheChannelSize(t *testing.T) {
	v := serve(t, Options{})
	small := v.open(8192)
	req := request(t, "void(out:10000,u64)", "10000")
	_, err := invoke(t.Context(), small, library("libtest.so"), "fill", req)
	fails(t, err, vlibcall.ErrTooLarge, "open the channel with at least 16384")
	if _, err = invoke(t.Context(), v.open(16384), library("libtest.so"), "fill", req); err != nil {
		t.Error(err)
	}
	_, err = v.try("fill", "void(out:64m,u64)", "0")
	fails(t, err, vlibcall.ErrTooLarge, "67108888")
	if n := v.number("count", "i32()"); n != 1 {
		t.Error(n)
	}
}

func TestIdleWorkersAreBounded(t *testing.T) {
	v := serve(t, Options{MaxWorkers: 2})
	half := request(t, "f64(f64)", "0.5")
	for _, l := range []string{"libm.so.6", "libc.so.6", "libm.so.6", "libz.so.1"} {
		function := map[string]string{"libm.so.6": "cos", "libc.so.6": "drand48", "libz.so.1": "zlibVersion"}[l]
		if _, err := invoke(context.Background(), v.Channel, l, function, half); err != nil {
			t.Fatal(err)
		}
	}
	if running := v.services().Worker.Running; !slices.Equal(running, []string{"libz.so.1", "libm.so.6"}) {
		t.Errorf("workers for %q", running)
	}
}

func TestIdleMemoryIsBounded(t *testing.T) {
	v := serve(t, Options{})
	large := v.open(48 << 20)
	data := make([]byte, 40<<20)
	for i, l := range []string{"libone.so", "libtwo.so"} {
		copyFile(t, library("libtest.so"), library(l))
		req := request(t, "u64(in,u64)", "", strconv.Itoa(len(data)))
		req.Args[0] = signature.Bytes(data)
		if _, err := invoke(t.Context(), large, library(l), "sum", req); err != nil {
			t.Fatal(err)
		}
		if running := v.services().Worker.Running; !slices.Equal(running, []string{library(l)}) {
			t.Errorf("after %d: workers for %q", i, running)
		}
	}
	v.number("count", "i32()")
	if running := v.services().Worker.Running; len(running) != 2 {
		t.Errorf("workers for %q", running)
	}
}
