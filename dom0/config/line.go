// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"

	"github.com/BurntSushi/toml"
)

// The TOML package reports the line of what it refuses, but not of what it accepts.

// lineOfKey is the first line that sets the key, in whatever table; 0: none
// that is written plainly.
func lineOfKey(text string, key toml.Key) int {
	return line(text, func(words string) bool {
		name, _, ok := strings.Cut(words, "=")
		return ok && strings.Trim(strings.TrimSpace(name), `"'`) == key[len(key)-1] ||
			strings.Trim(words, "[] ") == key.String() && strings.HasPrefix(words, "[")
	})
}

// lineOfTable is where the nth table of an array begins.
func lineOfTable(text, name string, n int) int {
	return line(text, func(words string) bool {
		if strings.HasPrefix(words, "[[") && strings.Trim(strings.SplitN(words, "#", 2)[0], "[] ") == name {
			n--
		}
		return n < 0
	})
}

// line is the number of the first line that is meant, from 1; 0: none is.
func line(text string, meant func(words string) bool) int {
	n := 0
	for words := range strings.Lines(text) {
		n++
		if meant(strings.TrimSpace(words)) {
			return n
		}
	}
	return 0
}
