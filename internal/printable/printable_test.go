// SPDX-License-Identifier: Apache-2.0

package printable

import "testing"

func TestControlCharactersAreReplaced(t *testing.T) {
	for _, tt := range []struct{ in, text, line string }{
		{"plain ü", "plain ü", "plain ü"},
		{"a\nb\tc", "a\nb\tc", "a\ufffdb\ufffdc"},
		{"\x1b]0;\a\x9b", "\ufffd]0;\ufffd\ufffd", "\ufffd]0;\ufffd\ufffd"},
		{"\u202e\u009b", "\ufffd\ufffd", "\ufffd\ufffd"},
	} {
		if got := Text(tt.in); got != tt.text {
			t.Errorf("Text(%q) = %q, want %q", tt.in, got, tt.text)
		}
		if got := Line(tt.in); got != tt.line {
			t.Errorf("Line(%q) = %q, want %q", tt.in, got, tt.line)
		}
	}
}
