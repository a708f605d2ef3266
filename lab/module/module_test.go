// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/vlibos/vlibos/lab/image"
)

func TestVersionBelongsToItsSeries(t *testing.T) {
	for _, test := range []struct {
		version, series string
		want            bool
	}{
		{"4.17.5+72-g01140da4e8-1", "4.17", true},
		{"4.17-1", "4.17", true},
		{"1:4.17.0-2", "4.17", true},
		{"4.17~rc4-1", "4.17", true},
		{"4.17.5-1", "4.1", false},
		{"4.20.0-1", "4.17", false},
	} {
		if got := isOfSeries(test.version, test.series); got != test.want {
			t.Errorf("%s of %s: %v", test.version, test.series, got)
		}
	}
}

func TestImageOfOtherIngredientsHasAnotherFolder(t *testing.T) {
	c := NewCache(&image.Cache{Dir: "/cache"})
	dir := c.imageDir(source{id: "1"}, "gcc 12")
	if dir == c.imageDir(source{id: "2"}, "gcc 12") || dir == c.imageDir(source{id: "1"}, "gcc 13") {
		t.Error("another source or compiler has the same name")
	}
	if dir == c.Of(Debug).imageDir(source{id: "1"}, "gcc 12") {
		t.Error("a variant has the same name")
	}
	if !strings.HasPrefix(dir, "/cache/hypervisor/image/") {
		t.Errorf("image in %s", dir)
	}
}

func TestLayKeepsTimes(t *testing.T) {
	files := fstest.MapFS{"common/a.c": {Data: []byte("a")}, "common/b.c": {Data: []byte("b")}}
	names, err := moduleFiles(files)
	if err != nil || !slices.Equal(names, []string{"common/a.c", "common/b.c"}) {
		t.Fatalf("files %q, %v", names, err)
	}
	tr := &tree{dir: t.TempDir()}
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	for round, changed := range []bool{true, false, true} {
		if round == 2 {
			files["common/b.c"].Data = []byte("c")
		}
		if err := tr.lay(files, names); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(tr.module(), "common/b.c")
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.ModTime().Equal(old) == changed {
			t.Errorf("round %d: written at %v, changed: %v", round, info.ModTime(), changed)
		}
		if err := os.Chtimes(file, old, old); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLayReplacesNothingOfXen(t *testing.T) {
	tr := &tree{dir: t.TempDir()}
	own := filepath.Join(tr.module(), "common/sched/core.c")
	if err := os.MkdirAll(filepath.Dir(own), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, []byte("Xen"), 0o644); err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{"common/sched/core.c": {Data: []byte("ours")}}
	if err := tr.lay(files, []string{"common/sched/core.c"}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v", err)
	}
	if data, err := os.ReadFile(own); string(data) != "Xen" {
		t.Errorf("the file is %q, %v", data, err)
	}
}

func TestTreeIsUnusableAfterAKilledMake(t *testing.T) {
	tr := &tree{dir: filepath.Join(t.TempDir(), "tree")}
	if tr.usable(nil) {
		t.Error("a missing tree is usable")
	}
	if err := os.Mkdir(tr.dir, 0o755); err != nil || !tr.usable([]string{"a"}) {
		t.Errorf("a new tree is not usable: %v", err)
	}
	files := fstest.MapFS{"a": {}, "b": {}}
	if err := tr.lay(files, []string{"a"}); err != nil || !tr.usable([]string{"a", "b"}) || tr.usable([]string{"b"}) {
		t.Errorf("with file a: %v; with a and b: %v, with b alone: %v", err, tr.usable([]string{"a", "b"}), tr.usable([]string{"b"}))
	}
	if err := os.WriteFile(filepath.Join(tr.dir, busy), nil, 0o644); err != nil || tr.usable([]string{"a"}) {
		t.Errorf("a tree in which make was killed is usable: %v", err)
	}
}

func TestCounterReportsCompiledFiles(t *testing.T) {
	var b strings.Builder
	c := &counter{log: &b, next: time.Now()}
	for range 100 {
		if _, err := c.Write([]byte("  CC      a.o\n  LD      b.o\n")); err != nil {
			t.Fatal(err)
		}
	}
	if c.n != 100 || b.String() != "compiling Xen with the module: 1 files\n" {
		t.Errorf("%d files, said %q", c.n, b.String())
	}
	if got := lastLines("a\nb\nc\n", 2); got != "b\nc" {
		t.Errorf("last lines %q", got)
	}
}
