// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestChildrenAreTheFoldersWithTheInodesOfStat(t *testing.T) {
	dir := t.TempDir()
	var want []Child
	for i := range 700 { // more than one list of the kernel
		name := fmt.Sprintf("%03d%s", i, strings.Repeat("x", i%200))
		if i%7 == 0 {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, Child{name, info.Sys().(*syscall.Stat_t).Ino})
	}
	got, err := Children(dir)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%d children, want %d: %v", len(got), len(want), err)
	}
	if _, err := Children(filepath.Join(dir, "none")); !Gone(err) {
		t.Errorf("a folder that is gone: %v", err)
	}
}

// A list that is cut off or damaged has fewer children, and no panic.
func TestDamagedListsAreCutShort(t *testing.T) {
	entry := append(make([]byte, direntName), "abc\x00"...)
	entry[direntType] = syscall.DT_DIR
	for length := range 64 {
		entry[direntLength] = byte(length)
		for n := range len(entry) + 1 {
			if got := appendChildren(nil, entry[:n]); len(got) > 1 {
				t.Errorf("length %d, %d bytes: %v", length, n, got)
			}
		}
	}
}
