// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vlibos/vlibos/internal/atomicfile"
)

// Value is one key of the table [throttle], as TOML.
type Value struct{ Key, Text string }

// SetThrottle returns a configuration's text with those values in [throttle],
// and all else as it was. The result is one that can be loaded, or an error.
func SetThrottle(text string, values []Value) (string, error) {
	lines := strings.SplitAfter(text, "\n")
	if last := len(lines) - 1; lines[last] == "" {
		lines = lines[:last]
	} else {
		lines[last] += "\n"
	}
	if lineOf(text, "throttle", "", 0) == 0 {
		if len(lines) > 0 {
			lines = append(lines, "\n")
		}
		lines = append(lines, "[throttle]\n")
	}
	for _, v := range values {
		set := fmt.Sprintf("%s = %s\n", v.Key, v.Text)
		now := strings.Join(lines, "")
		at, table := lineOf(now, "throttle", v.Key, 0), lineOf(now, "throttle", "", 0)
		if at != table {
			if _, comment, ok := strings.Cut(lines[at-1], "#"); ok {
				set = strings.TrimSuffix(set, "\n") + " #" + comment
			}
			lines[at-1] = set
			continue
		}
		lines = append(lines[:table], append([]string{set}, lines[table:]...)...)
	}
	out := strings.Join(lines, "")
	if _, line, err := parse(out); err != nil {
		return "", fmt.Errorf("line %d of the new text: %w", line, err)
	}
	return out, nil
}

// Replace writes a file as a whole or not at all, with the permissions of the
// one that is there.
func Replace(file, text string) error {
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(file); err == nil {
		mode = info.Mode().Perm()
	}
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(file, []byte(text), mode)
}
