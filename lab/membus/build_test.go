// SPDX-License-Identifier: Apache-2.0

package membus

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/vlibos/vlibos/lab/image"
)

func TestUpstreamVersionHasNoRevision(t *testing.T) {
	for version, want := range map[string]string{
		"1:7.2+dfsg-7+deb12u18": "1:7.2+dfsg", "1:8.2.2+ds-0ubuntu1": "1:8.2.2+ds", "9.0": "9.0",
	} {
		if got := UpstreamVersion(version); got != want {
			t.Errorf("%s: %s, want %s", version, got, want)
		}
	}
}

// QEMU 7.2, of Debian 12, has version 1 of the interface; 10.0, of Debian 13, a later one,
// which copies instructions.
func TestPluginsCompileForEachInterfaceOfQEMU(t *testing.T) {
	header, err := os.ReadFile(filepath.Join("testdata", headerName))
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"1", "2", "3", "4"} {
		include := t.TempDir()
		of := append([]byte("#define QEMU_PLUGIN_VERSION "+version+"\n"), header...)
		if err := os.WriteFile(filepath.Join(include, headerName), of, 0o644); err != nil {
			t.Fatal(err)
		}
		c := NewCache(&image.Cache{Dir: t.TempDir()})
		if err := c.compile(t.Context(), include, filepath.Join(c.dir, "plugin", version)); err != nil {
			t.Errorf("version %s: %v", version, err)
		}
	}
}

func TestPluginIsNamedByItsHeaderToo(t *testing.T) {
	c := NewCache(&image.Cache{Dir: t.TempDir()})
	key, err := c.key(t.Context(), "testdata")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(c.dir, "plugin", key)
	if err := c.compile(t.Context(), "testdata", dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{Memory, Profile} {
		if _, err := os.Stat(filepath.Join(dir, name+".so")); err != nil {
			t.Error(err)
		}
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, headerName), []byte("another"), 0o644); err != nil {
		t.Fatal(err)
	}
	if k, err := c.key(t.Context(), other); err != nil || k == key {
		t.Errorf("key %s with another header, %s without, %v", k, key, err)
	}
	if err := c.compile(t.Context(), other, filepath.Join(c.dir, "plugin", "other")); err == nil {
		t.Error("compiled without QEMU's header")
	}
	left, err := filepath.Glob(filepath.Join(c.dir, "tmp-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left over: %q, %v", left, err)
	}
}
