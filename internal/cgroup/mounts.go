// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNone says that there is no cgroup that would do.
var ErrNone = errors.New("no cgroup that counts CPU time")

// Tree is a mounted hierarchy that counts CPU time.
type Tree struct {
	Version int // 1: cpuacct; 2
	Root    string
}

// Trees are those of this machine, version 2 first.
func Trees() ([]Tree, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseTrees(string(text)), nil
}

// parseTrees reads mountinfo, see proc(5): the fifth field is the mount point,
// behind "-" are type, source and options, which for version 1 name the
// controllers. Of several mounts the first counts.
func parseTrees(text string) []Tree {
	var found [3]string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		dash := slices.Index(f, "-")
		if dash < 6 || len(f) < dash+4 || strings.Contains(f[4], `\`) {
			continue
		}
		version := 0
		switch {
		case f[dash+1] == "cgroup2":
			version = 2
		case f[dash+1] == "cgroup" && slices.Contains(strings.Split(f[dash+3], ","), "cpuacct"):
			version = 1
		}
		if version != 0 && found[version] == "" {
			found[version] = f[4]
		}
	}
	var all []Tree
	for _, version := range []int{2, 1} {
		if found[version] != "" {
			all = append(all, Tree{version, found[version]})
		}
	}
	return all
}

// Of is the path below the root of the cgroup in which a process is; "/" if it
// is in none but the root. A pid of 0 is this process.
func (t Tree) Of(pid int) (string, error) {
	who := "self"
	if pid != 0 {
		who = strconv.Itoa(pid)
	}
	file := filepath.Join("/proc", who, "cgroup")
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if p, ok := t.parseOf(string(text)); ok {
		return p, nil
	}
	return "", fmt.Errorf("%s names no cgroup of %s: %w", file, t.Root, ErrNone)
}

// parseOf reads lines "number:controllers:path"; those of version 2 are 0 and none.
func (t Tree) parseOf(text string) (string, bool) {
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) != 3 || !path.IsAbs(f[2]) {
			continue
		}
		if t.Version == 2 && f[0] == "0" && f[1] == "" || t.Version == 1 && slices.Contains(strings.Split(f[1], ","), "cpuacct") {
			return path.Clean(f[2]), true
		}
	}
	return "", false
}

// Own is where this process is in a cgroup that is not a root. ErrNone if it is
// in roots alone.
func Own() (Tree, string, error) {
	all, err := Trees()
	if err != nil {
		return Tree{}, "", err
	}
	// Version 1 first: where both count, domains are made there.
	for _, t := range slices.Backward(all) {
		if p, err := t.Of(0); err == nil && p != "/" {
			return t, p, nil
		}
	}
	return Tree{}, "", fmt.Errorf("this process is in %w but the whole machine's", ErrNone)
}
