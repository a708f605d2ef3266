// SPDX-License-Identifier: Apache-2.0

// Package uuid knows the form of UUIDs: what has another form may be a domain's
// number or name.
package uuid

import "strings"

// Is reports whether a text is a UUID, in either case.
func Is(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		dash := i == 8 || i == 13 || i == 18 || i == 23
		digit := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if dash != (c == '-') || !dash && !digit {
			return false
		}
	}
	return true
}

// Canonical is a UUID in lower case, as references to domains are compared: toolstacks
// and operators write either case. Any other text stays as it is.
func Canonical(ref string) string {
	if Is(ref) {
		return strings.ToLower(ref)
	}
	return ref
}
