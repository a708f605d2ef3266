// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// speaks is a Xen that accepts one version of an interface.
func speaks(v uint32, answer error) func(uint32) error {
	return func(asked uint32) error {
		if asked == v {
			return answer
		}
		return unix.EACCES
	}
}

func TestEveryReleaseOfXenHasOneLayout(t *testing.T) {
	layout, err := os.ReadFile("testdata/layout.txt")
	if err != nil {
		t.Fatal(err)
	}
	golden := fmt.Sprintf("%x", sha256.Sum256(layout))
	text, err := os.ReadFile("testdata/releases.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		var tag, hash string
		var domctl, sysctl uint32
		if _, err := fmt.Sscanf(line, "RELEASE-%s %v %v %s", &tag, &domctl, &sysctl, &hash); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		name := tag[:strings.LastIndexByte(tag, '.')]
		seen[name] = true
		if hash != golden {
			t.Errorf("%s: the layout has hash %s, want that of layout.txt, %s: run testdata/releases.sh if layout.c has changed", tag, hash, golden)
		}
		if row := (release{name, domctl, sysctl}); !strings.Contains(fmt.Sprint(releases), fmt.Sprint(row)) {
			t.Errorf("%s: %v is not in the table %v", tag, row, releases)
		}
	}
	if len(seen) != len(releases) {
		t.Errorf("headers of %v, want those of %v", seen, releases)
	}
}

func TestVersionOfEachReleaseIsFound(t *testing.T) {
	h := refusing(t)
	for _, r := range releases {
		for c, version := range map[*control]uint32{&domctlInterface: r.domctl, &sysctlInterface: r.sysctl} {
			var found atomic.Uint32
			if v, err := h.find(*c, &found, speaks(version, nil)); v != version || err != nil || found.Load() != version {
				t.Errorf("%s of Xen %s: %#x, %v; remembered %#x", c.name, r.name, v, err, found.Load())
			}
			if v, err := h.find(*c, &found, speaks(0, nil)); v != version || err != nil {
				t.Errorf("%s of Xen %s is asked for again: %#x, %v", c.name, r.name, v, err)
			}
			var denied atomic.Uint32 // the version is right, and the caller may not
			if v, err := h.find(*c, &denied, speaks(version, unix.EPERM)); v != version || err != nil || denied.Load() != 0 {
				t.Errorf("%s of Xen %s for a guest: %#x, %v", c.name, r.name, v, err)
			}
		}
	}
}

func TestUnknownVersionIsAnErrorThatNamesBoth(t *testing.T) {
	h := refusing(t)
	for _, tt := range []struct {
		xens  uint32
		parts []string
	}{
		{0x12, []string{"domctl", "0x15 to 0x18", "4.17 to 4.22", "0x12", "older than 4.17"}},
		{0x19, []string{"domctl", "0x15 to 0x18", "4.17 to 4.22", "0x19", "newer than 4.22"}},
		{lastInterface, []string{"0x40", "newer than 4.22"}},
	} {
		var found atomic.Uint32
		_, err := h.find(domctlInterface, &found, speaks(tt.xens, nil))
		err = opError("pause domain 3", err)
		var v *VersionError
		if !errors.As(err, &v) || errors.Is(err, fs.ErrPermission) || found.Load() != 0 {
			t.Fatalf("%#x: %v", tt.xens, err)
		}
		for _, part := range tt.parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not name %s", err, part)
			}
		}
	}
	// A security module refuses every version.
	var found atomic.Uint32
	if _, err := h.find(domctlInterface, &found, speaks(lastInterface+1, nil)); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("refused altogether: %v", err)
	}
}

func TestInterfacesNameTheirReleases(t *testing.T) {
	for i, want := range map[Interfaces]string{
		{0x17, 0x15}: "domctl 0x17, sysctl 0x15 (Xen 4.19, 4.20)",
		{0x18, 0x15}: "domctl 0x18, sysctl 0x15 (Xen of no release)",
	} {
		if i.String() != want {
			t.Errorf("%q, want %q", i, want)
		}
	}
}
