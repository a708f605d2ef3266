// SPDX-License-Identifier: Apache-2.0

package config

import "strings"

// The TOML package reports the line of what it refuses, but not of what it accepts.

// lineOf is the first line, from 1, that sets a key in the nth table of that name, of
// any if n is negative; or else the table's first line. A name without a key is the
// table. 0: none of them is written plainly.
func lineOf(text, table, key string, n int) (header int) {
	in, at := table == "", 0
	for line := range strings.Lines(text) {
		at++
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "[") {
			name := strings.Trim(line, "[] ")
			if in = name == table; in {
				n--
			}
			if in = in && n < 0; in && header == 0 || name == table+"."+key || table == "" && name == key {
				header = at
			}
			if header > 0 && (key == "" || !in) {
				return header
			}
			continue
		}
		name, _, ok := strings.Cut(line, "=")
		if in && ok && strings.Trim(strings.TrimSpace(name), `"'`) == key {
			return at
		}
	}
	return header
}
