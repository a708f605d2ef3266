// SPDX-License-Identifier: Apache-2.0

package ffi

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/vlibcall/signature"
)

func TestLibrariesThatCannotBeLoadedAreErrors(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.so")
	if err := os.WriteFile(text, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		kind error
		want string
	}{
		{"libnosuch.so.9", ErrNoLibrary, "libnosuch.so.9: cannot open shared object file"},
		{"/nowhere/lib.so", ErrNoLibrary, "/nowhere/lib.so: cannot open shared object file"},
		{text, ErrNoLibrary, "file too short"},
		{"", ErrNoLibrary, "neither a soname"},
		{"../lib.so", ErrNoLibrary, "neither a soname"},
		{"/a/../lib.so", ErrNoLibrary, "not a clean absolute path"},
	} {
		if _, err := Open(tt.name); !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Open(%q): %v, want %v, …%s…", tt.name, err, tt.kind, tt.want)
		}
	}
}

func TestCallsThatDoNotFitAreErrors(t *testing.T) {
	l := open(t, testLibrary)
	for _, tt := range []struct {
		function string
		req      *signature.Request
		space    int
		kind     error
		want     string
	}{
		{"nosuch", request(t, "void()"), 100, ErrNoFunction, "undefined symbol: nosuch"},
		{"no such", request(t, "void()"), 100, ErrNoFunction, "not the name of a C symbol"},
		{"call_with_table", request(t, "i32(sym)", "nosuch"), 100, ErrNoFunction, "undefined symbol: nosuch"},
		{"fill", request(t, "void(out:100,u64,u8)", "100", "1"), 100, ErrTooLarge, "128 bytes does not fit the 100 bytes"},
		{"letters", request(t, "str(u64)", "1000"), 1016, ErrTooLarge, "the returned string does not fit the 1016 bytes"},
		{"letters", request(t, "str(u64)", "1000"), 16, ErrTooLarge, "does not fit the 16 bytes"},
		{"sum", &signature.Request{Signature: request(t, "void()").Signature, Args: make([]signature.Value, 1)}, 100, ErrArguments, "1 values for 0"},
	} {
		if _, err := l.Call(tt.function, tt.req, make([]byte, tt.space)); !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %v, …%s…", tt.function, err, tt.kind, tt.want)
		}
	}
	// The longest result that fits: header, string, NUL.
	if _, err := l.Call("letters", request(t, "str(u64)", "1007"), make([]byte, 16+1008)); err != nil {
		t.Error(err)
	}
}

// Callers choose names; the memory for them is bounded.
func TestCachesAreBounded(t *testing.T) {
	l := open(t, testLibrary)
	dst := make([]byte, 1<<15)
	for i := range maxCached + 10 {
		if _, err := l.Call("is_null", request(t, fmt.Sprintf("i32(null,out:%d)", i+1)), dst); err != nil {
			t.Fatal(err)
		}
		if len(l.plans) > maxCached {
			t.Fatalf("%d plans", len(l.plans))
		}
	}
	if len(l.plans) == 0 || len(l.plans) > 10 {
		t.Errorf("%d plans after the cache was full", len(l.plans))
	}
}
