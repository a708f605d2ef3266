// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// Mounts are the mount points of cgroup file systems.
type Mounts struct {
	V2 string            // "" if it is not mounted
	V1 map[string]string // by controller
}

// FindMounts finds the mount points of this machine.
func FindMounts() (Mounts, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return Mounts{}, err
	}
	return parseMounts(string(text)), nil
}

// parseMounts reads mountinfo, see proc(5). The fifth field is the mount point.
// After "-" are the type, the source and the options of the file system; the
// options of version 1 name the controllers. The first of several mounts
// counts.
func parseMounts(text string) Mounts {
	m := Mounts{V1: map[string]string{}}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		dash := slices.Index(f, "-")
		if dash < 6 || len(f) < dash+4 {
			continue
		}
		point := unescape(f[4])
		switch f[dash+1] {
		case "cgroup2":
			if m.V2 == "" {
				m.V2 = point
			}
		case "cgroup":
			for o := range strings.SplitSeq(f[dash+3], ",") {
				if m.V1[o] == "" {
					m.V1[o] = point
				}
			}
		}
	}
	return m
}

// unescape undoes the octal escapes of spaces in mountinfo.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
