// SPDX-License-Identifier: Apache-2.0

package host

import "strings"

// IsUUID reports whether a text has the form of a UUID, in either case. Any other may be
// a domain's number or name.
func IsUUID(text string) bool {
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
	if IsUUID(ref) {
		return strings.ToLower(ref)
	}
	return ref
}
