// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"strings"
)

// The TOML package reports the line of what it refuses, but not of what it accepts.

// lineOf is the first line, from 1, that sets a key in the nth table of that name, of
// any if n is negative; or else the table's first line. A name without a key is the
// table. 0: none of them is written plainly.
func lineOf(text, table, key string, n int) (header int) {
	in, at, every := table == "", 0, n < 0
	for line := range strings.Lines(text) {
		at++
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "[") {
			name := strings.Trim(line, "[] ")
			if name == table+"."+key || table == "" && name == key {
				return at
			}
			if in = name == table && (every || n == 0); in && header == 0 {
				header = at
			}
			if header > 0 && (key == "" || !in && !every) {
				return header
			}
			if name == table {
				n--
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

// keyError is an error about a value. Its text is the reason's.
type keyError struct {
	keys []string // of its table; the error is at the first of them that is set
	err  error
}

func (e *keyError) Error() string { return e.err.Error() }
func (e *keyError) Unwrap() error { return e.err }

// at says which key of a table an error is about: the first that the table sets.
func at(err error, keys ...string) error {
	if err == nil {
		return nil
	}
	return &keyError{keys, err}
}

// lineOfError is the line of an error's key in the nth table of that name, or else the
// table's first line. Of tables on one line or with dotted keys, it is that line.
func lineOfError(text, table string, n int, err error) int {
	header := lineOf(text, table, "", n)
	if header == 0 {
		header = lineOf(text, "", table, 0)
	}
	var k *keyError
	if !errors.As(err, &k) {
		return header
	}
	for _, key := range k.keys {
		if line := lineOf(text, table, key, n); line != 0 && line != header {
			return line
		}
		if line := lineOf(text, "", table+"."+key, 0); line != 0 {
			return line
		}
	}
	return header
}
