// SPDX-License-Identifier: Apache-2.0

package debs

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestVersionsAreSortedAsDpkgComparesThem(t *testing.T) {
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("no dpkg on this machine")
	}
	got := newestFirst(t.Context(), []string{"4.17.5-1", "4.17.10-1", "4.17.5-1", "4.17.5+72-g01-1", "4.17.5~rc1-1", "4.20.0-1"})
	want := []string{"4.20.0-1", "4.17.10-1", "4.17.5+72-g01-1", "4.17.5-1", "4.17.5~rc1-1"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSourceIsTheOneControlFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenSource("xen", dir); err == nil || !strings.Contains(err.Error(), "0 .dsc files") {
		t.Errorf("empty folder: %v", err)
	}
	dsc := filepath.Join(dir, "xen_1.dsc")
	for text, want := range map[string]string{"Source: xen\nVersion: 1:4.17-2\n": "1:4.17-2", "Source: xen\n": ""} {
		if err := os.WriteFile(dsc, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := OpenSource("xen", dir)
		if s.Version != want || (err == nil) != (want != "") {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	}
}

func TestInstalledSourceIsDpkgs(t *testing.T) {
	if _, err := exec.LookPath("dpkg-query"); err != nil {
		t.Skip("no dpkg on this machine")
	}
	name, version, err := InstalledSource(t.Context(), "dpkg")
	if err != nil || name != "dpkg" || version == "" {
		t.Errorf("dpkg's source is %q %q, %v", name, version, err)
	}
	if _, _, err := InstalledSource(t.Context(), "no-such-package"); !errors.Is(err, ErrNotOffered) {
		t.Errorf("no such package: %v", err)
	}
}
