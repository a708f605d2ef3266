// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/vlibos/vlibos/lab/image"
)

func TestUnpackReplacesWhatIsThere(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{"opt/old": "old", "opt/kept": "kept"} {
		if err := os.MkdirAll(filepath.Join(root, "opt"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("kept", filepath.Join(root, "opt/link")); err != nil {
		t.Fatal(err)
	}
	var disk bytes.Buffer
	for _, fill := range []func(*image.Archive){
		func(a *image.Archive) {
			a.File("/opt/old", 0o755, []byte("first"))
			a.File("/opt/link", 0o644, []byte("not a link any more"))
			a.Symlink("/opt/new", "old")
		},
		// A second archive after the first one.
		func(a *image.Archive) { a.File("/opt/old", 0o755, []byte("second")) },
	} {
		a := image.NewArchive(&disk)
		fill(a)
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := unpack(bufio.NewReader(&disk), root); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"opt/old": "second", "opt/new": "second", "opt/kept": "kept", "opt/link": "not a link any more",
	} {
		if got, err := os.ReadFile(filepath.Join(root, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	if info, err := os.Stat(filepath.Join(root, "opt/old")); err != nil || info.Mode() != 0o755 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := unpack(bufio.NewReader(bytes.NewReader([]byte("not an archive"))), root); err == nil {
		t.Error("unpack accepts what is not an archive")
	}
}
