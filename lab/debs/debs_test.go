// SPDX-License-Identifier: Apache-2.0

package debs

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const shown = `Package: xen-utils-4.17
Version: 4.17.7-0+deb12u1
Depends: libc6 (>= 2.35), python3:any, python3 (<< 3.12), sysvinit-utils (>= 3.05-4~) | lsb-base
Pre-Depends: dpkg [amd64]
Description: Xen tools
 Package: this is text
 Version: and this too
SHA256: aa11

Package: libc6
Version: 2.36-9
SHA256: bb22

`

func TestStanzasArePackages(t *testing.T) {
	got, err := parseStanzas([]byte(shown))
	want := []Package{
		{Name: "xen-utils-4.17", Version: "4.17.7-0+deb12u1", SHA256: "aa11",
			Depends: [][]string{{"libc6"}, {"python3"}, {"python3"}, {"sysvinit-utils", "lsb-base"}, {"dpkg"}}},
		{Name: "libc6", Version: "2.36-9", SHA256: "bb22"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if got, err := parseStanzas(nil); len(got) != 0 || err != nil {
		t.Errorf("no stanza: %v, %v", got, err)
	}
	if _, err := parseStanzas([]byte("Package: a\n\nVersion: 1\n")); err == nil {
		t.Error("a stanza without a version is accepted")
	}
}

// world is a lookup in a fixed set of names and dependencies.
func world(deps map[string]string, calls *int) lookup {
	return func(names []string) ([]Package, error) {
		*calls++
		var out []Package
		for _, n := range names {
			if d, ok := deps[n]; ok {
				out = append(out, Package{Name: n, Version: "1", Depends: parseDepends(d)})
			}
		}
		return out, nil
	}
}

func names(pkgs []Package) string {
	var out []string
	for _, p := range pkgs {
		out = append(out, p.Name)
	}
	return strings.Join(out, " ")
}

func TestClosureFollowsSelectedDependencies(t *testing.T) {
	calls := 0
	look := world(map[string]string{
		"tools":   "liba (>= 1), python3, libgone | libb, libx | libc6",
		"liba":    "libc6, liba-loop",
		"libb":    "libc6, debconf | libd",
		"libc6":   "libgcc-s1",
		"libd":    "",
		"libx":    "",
		"python3": "libpython3", "libgcc-s1": "libc6", "liba-loop": "liba, libnowhere",
		"other": "",
	}, &calls)
	isLib := func(n string) bool { return strings.HasPrefix(n, "lib") }
	got, err := closure(look, []string{"tools", "other"}, isLib)
	if want := "liba liba-loop libb libc6 libd libgcc-s1 libx other tools"; err != nil || names(got) != want {
		t.Errorf("got %s, %v; want %s", names(got), err, want)
	}
	if calls > 5 {
		t.Errorf("%d look-ups, want one a level", calls)
	}
	_, err = closure(look, []string{"tools", "hypervisor"}, isLib)
	if !errors.Is(err, ErrNotOffered) || !strings.Contains(err.Error(), "hypervisor") {
		t.Errorf("missing seed: %v", err)
	}
	broken := errors.New("broken")
	if _, err := closure(func([]string) ([]Package, error) { return nil, broken }, []string{"a"}, isLib); !errors.Is(err, broken) {
		t.Errorf("failing look-up: %v", err)
	}
}

func TestErrorOfNilIsNil(t *testing.T) {
	if opError("x", nil) != nil {
		t.Error("nil became an error")
	}
	err := opError("install", fmt.Errorf("%w: type this", ErrNeedRoot))
	if !errors.Is(err, ErrNeedRoot) || err.Error() != "install: needs root: type this" {
		t.Errorf("got %v", err)
	}
}
