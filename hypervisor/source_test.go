// SPDX-License-Identifier: Apache-2.0

package hypervisor

import (
	"io/fs"
	"testing"
	"testing/fstest"
)

func TestHashDependsOnNamesAndContents(t *testing.T) {
	sum := func(files fstest.MapFS) string {
		t.Helper()
		s, err := Hash(files)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	seen := map[string]int{}
	for i, files := range []fstest.MapFS{
		{},
		{"a/b.c": file("x")},
		{"a/b.c": file("y")},
		{"a/c.c": file("x")},
		{"a/b.c": file("x"), "c": file("")},
	} {
		s := sum(files)
		if other, ok := seen[s]; ok {
			t.Errorf("files %d and %d have the same hash", other, i)
		}
		if s != sum(files) {
			t.Errorf("files %d: two hashes", i)
		}
		seen[s] = i
	}
}

func TestSourceHasHeadersMakefileAndHooks(t *testing.T) {
	for _, name := range []string{"include/public/vlib.h", "include/xen/vlib.h", "common/sched/vlib/Makefile"} {
		if _, err := fs.Stat(Module(), name); err != nil {
			t.Error(err)
		}
	}
	if len(Revision()) != 64 || string(Hooks()[:10]) != "#!/bin/sh\n" {
		t.Errorf("revision %q, hooks begin with %q", Revision(), Hooks()[:10])
	}
}
