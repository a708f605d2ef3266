// SPDX-License-Identifier: Apache-2.0

package atomicfile

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWriteReplacesTheFileOrNothing(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	for _, want := range []string{"one, and long", "two"} {
		if err := Write(name, []byte(want), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		info, serr := os.Stat(name)
		if err != nil || serr != nil || string(got) != want || info.Mode() != 0o640 {
			t.Errorf("%q, %v: %v, %v", got, info.Mode(), err, serr)
		}
	}
	// A folder cannot be replaced, and the attempt leaves nothing behind.
	full := filepath.Join(dir, "folder")
	if err := os.MkdirAll(filepath.Join(full, "in it"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(full, []byte("x"), 0o600); err == nil {
		t.Error("a folder was replaced")
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
	if err := Write(filepath.Join(dir, "none", "f"), nil, 0o600); err == nil {
		t.Error("written into a folder that does not exist")
	}
}
