// SPDX-License-Identifier: Apache-2.0

package module

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// xenTree makes a source tree with the files that the builder reads.
func xenTree(t *testing.T, extra string) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "xen/Makefile", "# SPDX\nexport XEN_VERSION      = 4\nexport XEN_SUBVERSION   = 17\nexport XEN_EXTRAVERSION ?= "+extra+"$(XEN_VENDORVERSION)\nexport XEN_FULLVERSION = x\ndistclean:\n\trm -f *.o\n")
	put(t, dir, "xen/common/a.c", "int a;\n")
	put(t, dir, ".git/HEAD", "ref: refs/heads/main\n")
	if err := os.Symlink("a.c", filepath.Join(dir, "xen/common/link.c")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The content of a given tree alone determines its id.
func TestGivenSourceIsNamedByItsContent(t *testing.T) {
	dir := xenTree(t, ".7")
	first, err := givenSource(dir, "4.17")
	if err != nil || first.version != "4.17.7" || !first.given {
		t.Fatalf("%+v, %v", first, err)
	}
	if same, err := givenSource(xenTree(t, ".7"), "4.17"); err != nil || same.id != first.id {
		t.Errorf("its path changes its id: %v", err)
	}
	put(t, dir, ".git/HEAD", "another\n")
	if same, err := givenSource(dir, "4.17"); err != nil || same.id != first.id {
		t.Errorf("git's own files change its id: %v", err)
	}
	put(t, dir, "xen/common/a.c", "int b;\n")
	if other, err := givenSource(dir, "4.17"); err != nil || other.id == first.id {
		t.Errorf("a changed file does not change its id: %v", err)
	}
}

// The builder uses a copy without previously built files. The given tree does not
// change.
func TestGivenSourceIsCopied(t *testing.T) {
	dir := xenTree(t, "-rc")
	put(t, dir, "xen/old.o", "object")
	src, err := givenSource(dir, "4.17")
	if err != nil || src.version != "4.17-rc" {
		t.Fatalf("%+v, %v", src, err)
	}
	to := filepath.Join(t.TempDir(), "tree")
	if err := src.unpack(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"xen/common/a.c": true, "xen/common/link.c": true, "xen/old.o": false, ".git": false} {
		if _, err := os.Lstat(filepath.Join(to, name)); (err == nil) != want {
			t.Errorf("%s: %v, want it to exist: %v", name, err, want)
		}
	}
	if after, err := givenSource(dir, "4.17"); err != nil || after.id != src.id {
		t.Errorf("the given tree has changed: %v", err)
	}
}

func TestGivenSourceFitsTheTools(t *testing.T) {
	for dir, want := range map[string]string{
		xenTree(t, ".7"): "use the release with the same version", t.TempDir(): "xen/Makefile",
	} {
		if _, err := givenSource(dir, "4.20"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
