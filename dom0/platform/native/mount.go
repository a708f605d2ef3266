// SPDX-License-Identifier: Apache-2.0

package native

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// mounts is where cgroups are: version 2, and the controllers of version 1.
type mounts struct {
	v2 string // "" if there is none
	v1 map[string]string
}

func findMounts() (mounts, error) {
	const file = "/proc/self/mountinfo"
	text, err := os.ReadFile(file)
	if err != nil {
		return mounts{}, err
	}
	return parseMounts(string(text)), nil
}

// parseMounts reads mountinfo, see proc(5): the fifth field is the mount point,
// behind "-" are the type, the source and the options of the file system, which
// for cgroup name the controllers. Of several mounts the first counts.
func parseMounts(text string) mounts {
	m := mounts{v1: map[string]string{}}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		dash := slices.Index(f, "-")
		if dash < 6 || len(f) < dash+4 {
			continue
		}
		point := unescape(f[4])
		switch f[dash+1] {
		case "cgroup2":
			if m.v2 == "" {
				m.v2 = point
			}
		case "cgroup":
			for o := range strings.SplitSeq(f[dash+3], ",") {
				if m.v1[o] == "" {
					m.v1[o] = point
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

// controllers2 are the controllers that version 2 has at a directory.
func controllers2(dir string) []string {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

// cpuList reads the kernel's form of a set of CPUs, "0-2,5".
func cpuList(text string) ([]int, error) {
	var cpus []int
	for part := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		if part == "" {
			continue
		}
		from, to, isRange := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		last := first
		if err == nil && isRange {
			last, err = strconv.Atoi(to)
		}
		if err != nil || first < 0 || last < first || last > maxCPU {
			return nil, fmt.Errorf("%.80q is no list of CPUs", text)
		}
		for c := first; c <= last; c++ {
			cpus = append(cpus, c)
		}
	}
	slices.Sort(cpus)
	return slices.Compact(cpus), nil
}

func formatCPUs(cpus []int) string {
	words := make([]string, len(cpus))
	for i, c := range cpus {
		words[i] = strconv.Itoa(c)
	}
	return strings.Join(words, ",")
}

func readCPUs(file string) ([]int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	cpus, err := cpuList(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return cpus, nil
}
