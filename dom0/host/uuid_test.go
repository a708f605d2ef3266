// SPDX-License-Identifier: Apache-2.0

package host

import (
	"strings"
	"testing"
)

func TestOnlyUUIDsHaveTheirForm(t *testing.T) {
	const one = "6f1d3a52-93c8-4d0b-8f55-1F2B6F3C7A11"
	if !IsUUID(one) || Canonical(one) != strings.ToLower(one) {
		t.Errorf("%q is none: %q", one, Canonical(one))
	}
	for _, text := range []string{
		"", "5", "web", one[1:], one + "0", strings.Replace(one, "f", "g", 1), strings.Replace(one, "-", "0", 1), strings.Replace(one, "6", "-", 1),
		"{" + one[2:] + "}", "\n" + one[1:], strings.Replace(one, "6f1d", "ſſ", 1),
	} {
		if IsUUID(text) || Canonical(text) != text {
			t.Errorf("%q is one: %q", text, Canonical(text))
		}
	}
}
