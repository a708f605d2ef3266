// SPDX-License-Identifier: Apache-2.0

package cachedir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestFolderAppearsComplete(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "image", "key")
	fill := func(text string, result error) func(tmp, out string) error {
		return func(tmp, out string) error {
			if _, err := os.Stat(dir); text == "first" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it exists before it is complete: %v", err)
			}
			return errors.Join(os.WriteFile(filepath.Join(tmp, "scrap"), nil, 0o644),
				os.WriteFile(filepath.Join(out, "file"), []byte(text), 0o644), result)
		}
	}
	killed := errors.New("killed")
	if err := Make(base, dir, fill("none", killed)); !errors.Is(err, killed) {
		t.Errorf("%v, want %v", err, killed)
	}
	if err := Make(base, dir, fill("first", nil)); err != nil {
		t.Fatal(err)
	}
	if err := Make(base, dir, fill("second", nil)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made twice: %v", err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(got) != "first" {
		t.Errorf("%q, %v", got, err)
	}
	if left, err := filepath.Glob(filepath.Join(base, "tmp-*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
