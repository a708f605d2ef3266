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

// ErrNone reports that no suitable cgroup exists.
var ErrNone = errors.New("no cgroup that counts CPU time")

// Tree is a mounted hierarchy that counts CPU time.
type Tree struct {
	Version int // 1: cpuacct; 2
	Root    string
}

// Trees returns the trees of this machine, version 2 first.
func Trees() ([]Tree, error) {
	m, err := FindMounts()
	return m.trees(), err
}

func (m Mounts) trees() []Tree {
	var all []Tree
	for _, t := range []Tree{{2, m.V2}, {1, m.V1["cpuacct"]}} {
		if t.Root != "" {
			all = append(all, t)
		}
	}
	return all
}

// Of is the path, below the root, of the cgroup of a process; "/" if it is in
// the root only. A pid of 0 is this process.
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

// parseOf reads lines "number:controllers:path"; version 2 has number 0 and no
// controllers.
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

// Own is the cgroup of this process, if that is not a root. ErrNone: the
// process is in roots only.
func Own() (Tree, string, error) {
	all, err := Trees()
	if err != nil {
		return Tree{}, "", err
	}
	// Version 1 first: where both count, domains are created there.
	for _, t := range slices.Backward(all) {
		if p, err := t.Of(0); err == nil && p != "/" {
			return t, p, nil
		}
	}
	return Tree{}, "", fmt.Errorf("this process is in %w except the whole machine's", ErrNone)
}
