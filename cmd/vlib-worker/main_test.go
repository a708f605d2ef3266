// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/domu-server/ffi"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/signature"
)

func TestWorkerRefusesToRunFromTheCommandLine(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"vlib-worker", "usage"},
		{"vlib-worker a b", "usage"},
		{"vlib-worker ../x", "soname"},
	} {
		if err := run(t.Context(), strings.Fields(tt.args)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want …%s…", tt.args, err, tt.want)
		}
	}
}

func TestWorkerInheritsOnlyASocket(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, fd := range []uintptr{1 << 20, duplicate(t, f)} {
		if conn, err := inherit(fd); err == nil || !strings.Contains(err.Error(), "vlib-server starts this program") {
			t.Errorf("%v, %v", conn, err)
		}
	}
}

func TestEachFaultHasItsStatus(t *testing.T) {
	_, syntax := signature.Parse("f64(")
	malformed := new(signature.Request).Decode(nil)
	for _, tt := range []struct{ err, want error }{
		{&ffi.Error{Kind: ffi.ErrNoLibrary}, vlibcall.ErrNoLibrary},
		{&ffi.Error{Kind: ffi.ErrNoFunction}, vlibcall.ErrNoFunction},
		{&ffi.Error{Kind: ffi.ErrTooLarge}, vlibcall.ErrTooLarge},
		{&ffi.Error{Kind: ffi.ErrArguments}, vlibcall.ErrBadRequest},
		{syntax, vlibcall.ErrSignature},
		{malformed, vlibcall.ErrBadRequest},
	} {
		if got := verdict(tt.err); !errors.Is(got, tt.want) {
			t.Errorf("%v became %v, want %v", tt.err, got, tt.want)
		}
	}
}

func duplicate(t *testing.T, f *os.File) uintptr {
	t.Helper()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return uintptr(fd)
}
