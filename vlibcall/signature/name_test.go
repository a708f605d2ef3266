// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"strings"
	"testing"
)

func TestCheckNames(t *testing.T) {
	for name, want := range map[string]bool{
		"libm.so.6": true, "libstdc++.so.6": true, "ld-linux-x86-64.so.2": true, "/usr/lib/x.so": true,
		"": false, "./x.so": false, "a/b.so": false, "../x": false, "/a/../b": false, "/": false, "//x": false,
		"/x\x00": false, "x y": false, "-x": false, ".so": false, "x\x00": false, "/a/": false,
		strings.Repeat("a", 255): true, strings.Repeat("a", 256): false,
		"/" + strings.Repeat("a", 4094): true, "/" + strings.Repeat("a", 4095): false,
	} {
		if err := CheckLibrary(name); (err == nil) != want {
			t.Errorf("CheckLibrary(%.40q) = %v", name, err)
		}
	}
	for name, want := range map[string]bool{
		"cos": true, "_Z3foov": true, "a1": true,
		"": false, "1a": false, "a.b": false, "a b": false, "ä": false, "a\x00": false, strings.Repeat("a", 1025): false,
	} {
		if err := CheckSymbol(name); (err == nil) != want {
			t.Errorf("CheckSymbol(%.40q) = %v", name, err)
		}
	}
}
