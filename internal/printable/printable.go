// SPDX-License-Identifier: Apache-2.0

// Package printable makes text that another domain or user has chosen safe for a
// terminal, a log and a label: each character that cannot be printed, and each
// byte that is not UTF-8, becomes U+FFFD.
package printable

import (
	"strings"
	"unicode"
)

// Text keeps line breaks and tabs.
func Text(s string) string {
	return clean(s, func(r rune) bool { return r == '\n' || r == '\t' || unicode.IsPrint(r) })
}

// Line keeps neither: a second line could pass for another program's in a log.
func Line(s string) string { return clean(s, unicode.IsPrint) }

func clean(s string, keep func(rune) bool) string {
	return strings.Map(func(r rune) rune {
		if keep(r) {
			return r
		}
		return unicode.ReplacementChar
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}
