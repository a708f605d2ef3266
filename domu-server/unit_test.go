// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/vlibos/vlibos/vlibcall"
)

func TestHeadAndTailAreTheEndsOfOutput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		writes := rapid.SliceOf(rapid.SliceOfN(rapid.Byte(), 0, 2*tailSize)).Draw(t, "writes")
		h := head{limit: rapid.IntRange(0, 3*tailSize).Draw(t, "limit")}
		var l tail
		var all []byte
		for _, b := range writes {
			all = append(all, b...)
			if n, err := h.Write(b); n != len(b) || err != nil {
				t.Fatal(n, err)
			}
			if n, err := l.Write(b); n != len(b) || err != nil {
				t.Fatal(n, err)
			}
		}
		if string(h.stored) != string(all[:min(len(all), h.limit)]) || h.truncated != (len(all) > h.limit) {
			t.Fatalf("of %d bytes the first %d, limit %d, truncated %v", len(all), len(h.stored), h.limit, h.truncated)
		}
		if string(l.stored) != string(all[max(len(all)-tailSize, 0):]) {
			t.Fatalf("of %d bytes the last %d", len(all), len(l.stored))
		}
	})
}

func TestTailIsTheLastLinesOnOneLine(t *testing.T) {
	for _, tt := range []struct{ written, want string }{
		{"", ""},
		{"\n", ""},
		{"one", "one"},
		{"one\ntwo\n\n", "one / two"},
		{"1\n2\n3\n4\n", "2 / 3 / 4"},
		{"a\x1b[31m\xff\r", "a\ufffd[31m\ufffd"},
	} {
		var l tail
		l.Write([]byte(tt.written))
		if got := l.lines(); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.written, got, tt.want)
		}
	}
}

func TestLibraryListsAreParsedOrRefused(t *testing.T) {
	for _, tt := range []struct {
		entries string
		want    Libraries
		text    string
	}{
		{"", Libraries{}, "any soname"},
		{"/a/ /b/c", Libraries{Directories: []string{"/a", "/b/c"}}, "any soname, /a, /b/c"},
		{"libm.so.6", Libraries{Closed: true, Sonames: []string{"libm.so.6"}}, "libm.so.6"},
		{"none /a", Libraries{Closed: true, Directories: []string{"/a"}}, "/a"},
		{"none", Libraries{Closed: true}, ""},
	} {
		got, err := ParseLibraries(strings.Fields(tt.entries))
		if err != nil || !reflect.DeepEqual(got, tt.want) || got.String() != tt.text {
			t.Errorf("%q: %+v %q, %v", tt.entries, got, got.String(), err)
		}
	}
	for _, bad := range []string{"", "a/b", "../x", "/a/../b", "-x"} {
		if _, err := ParseLibraries([]string{bad}); err == nil || !strings.Contains(err.Error(), "want a soname") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestOnlyAllowedLibrariesAreResolved(t *testing.T) {
	dir := t.TempDir()
	allowed, outside := filepath.Join(dir, "allowed"), filepath.Join(dir, "allowed-not")
	for _, d := range []string{allowed + "/sub", outside} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{allowed + "/sub/a.so", outside + "/a.so"} {
		if err := os.WriteFile(f, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{
		allowed + "/in.so":  allowed + "/sub/a.so",
		allowed + "/out.so": outside + "/a.so",
		dir + "/same":       allowed,
	} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	directory := Libraries{Directories: []string{allowed}}
	linked := Libraries{Directories: []string{dir + "/same"}}
	closed := Libraries{Closed: true, Sonames: []string{"libm.so.6"}}
	everything := Libraries{Directories: []string{"/"}}
	for _, tt := range []struct {
		l    Libraries
		name string
		want string
		err  error
	}{
		{Libraries{}, "libm.so.6", "libm.so.6", nil},
		{Libraries{}, "/lib/libm.so.6", "", vlibcall.ErrDenied},
		{Libraries{}, "sub/libm.so.6", "", vlibcall.ErrNoLibrary},
		{closed, "libm.so.6", "libm.so.6", nil},
		{closed, "libc.so.6", "", vlibcall.ErrDenied},
		{directory, "libc.so.6", "libc.so.6", nil},
		{directory, allowed + "/sub/a.so", allowed + "/sub/a.so", nil},
		{directory, allowed + "/in.so", allowed + "/sub/a.so", nil},
		{directory, allowed + "/out.so", "", vlibcall.ErrDenied},
		{directory, allowed + "/none.so", "", vlibcall.ErrNoLibrary},
		{directory, allowed + "/../allowed-not/a.so", "", vlibcall.ErrNoLibrary},
		{directory, outside + "/a.so", "", vlibcall.ErrDenied},
		{directory, outside + "/none.so", "", vlibcall.ErrDenied},
		{directory, allowed, "", vlibcall.ErrDenied},
		{linked, dir + "/same/sub/a.so", allowed + "/sub/a.so", nil},
		{linked, allowed + "/sub/a.so", "", vlibcall.ErrDenied},
		{everything, outside + "/a.so", outside + "/a.so", nil},
	} {
		got, err := tt.l.resolve(tt.name)
		if got != tt.want || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
			t.Errorf("%+v: %s: %q, %v", tt.l, tt.name, got, err)
		}
	}
}
