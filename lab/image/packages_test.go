// SPDX-License-Identifier: Apache-2.0

package image

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/lab/debs"
)

// A segment has all files that a running program needs of its packages, without
// those of the images. It keeps the images' links into /usr.
func TestSegmentLeavesOutWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	for name, perm := range map[string]os.FileMode{
		"bin/tool": 0o755, "lib/x86_64-linux-gnu/libc.so.6": 0o644, "lib/x86_64-linux-gnu/libt.so.1.2": 0o644,
		"usr/share/doc/tool/README": 0o644, "usr/lib/x86_64-linux-gnu/gconv/BIG5.so": 0o644, "etc/tool.conf": 0o644,
	} {
		write(t, filepath.Join(dir, name), "x", perm)
	}
	if err := os.Symlink("libt.so.1.2", filepath.Join(dir, "lib/x86_64-linux-gnu/libt.so.1")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "var/lib/tool"), 0o755); err != nil {
		t.Fatal(err)
	}
	tree, err := ReadTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	a := NewArchive(&b)
	tree.segment(a, []string{"/usr/lib/x86_64-linux-gnu/libc.so.6"})
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	got := list(t, b.Bytes())
	for _, want := range []string{"100755 usr/bin/tool=x", "100644 etc/tool.conf=x", "40755 var/lib/tool",
		"100644 usr/lib/x86_64-linux-gnu/libt.so.1.2=x", "120777 usr/lib/x86_64-linux-gnu/libt.so.1 -> libt.so.1.2"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, line := range got {
		_, name, _ := strings.Cut(line, " ")
		if slices.Contains([]string{"bin", "lib", "lib64", "sbin"}, name) || strings.Contains(name, "libc.so.6") || strings.Contains(name, "gconv") || strings.Contains(name, "README") {
			t.Errorf("%s is in it", line)
		}
	}
}

// Files of two versions of a package are not mixed.
func TestSegmentIsOfOneVersion(t *testing.T) {
	b := &Base{Packages: map[string]string{"libc6": "1", "xen": "4"}, Files: []string{"/usr/lib/libc.so.6"}}
	if got := b.present([]debs.Package{{Name: "libc6", Version: "1"}, {Name: "tool", Version: "3"}}); len(got) != 1 {
		t.Errorf("of the same version: %q is present", got)
	}
	if got := b.present([]debs.Package{{Name: "libc6", Version: "2"}}); len(got) != 0 {
		t.Errorf("of another version: %q is present", got)
	}
}

// An existing segment is found by its names alone, in any order, for the same base
// only, without a package source; after a refresh it is not.
func TestSegmentIsFoundByNames(t *testing.T) {
	c := &Cache{Dir: t.TempDir()}
	made := filepath.Join(c.Dir, packagesFolder, "key.cpio")
	write(t, made, "cpio", 0o644)
	base := &Base{Key: "base", Release: "bookworm"}
	if err := link(filepath.Join(c.Dir, packagesFolder, "names-"+shortHash(base.Key, "curl fio")), "key.cpio"); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Segment(t.Context(), base, []string{"fio", "curl", "fio"}, io.Discard); got != made || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := c.forgetNames(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir()) // without apt
	for _, b := range []*Base{base, {Key: "other", Release: "bookworm"}} {
		if got, err := c.Segment(t.Context(), b, []string{"fio", "curl"}, io.Discard); err == nil {
			t.Errorf("base %s: %q without a package source", b.Key, got)
		}
	}
}
