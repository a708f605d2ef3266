// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// fakeTree is a directory that behaves like the kernel's: a new group has files and
// whole masks, a thread is in one group, and masks are checked.
type fakeTree struct {
	t       testing.TB
	root    string
	classes int
}

func newTree(t testing.TB, files map[string]string) *fakeTree {
	t.Helper()
	f := &fakeTree{t: t, root: t.TempDir(), classes: 4}
	for name, text := range files {
		f.file(name, text)
	}
	f.file("tasks", "")
	f.file("info/last_cmd_status", "ok\n")
	return f
}

// server is an L3 cache of 11 ways on two sockets, and bandwidth.
func server() map[string]string {
	return map[string]string{
		"schemata":         "    MB:0=100;1=100\n    L3:0=7ff;1=7ff\n",
		"info/L3/cbm_mask": "7ff\n", "info/L3/min_cbm_bits": "1\n", "info/L3/num_closids": "16\n",
		"info/MB/min_bandwidth": "10\n", "info/MB/bandwidth_gran": "10\n", "info/MB/delay_linear": "1\n", "info/MB/num_closids": "8\n",
	}
}

func (f *fakeTree) file(name, text string) {
	f.t.Helper()
	name = filepath.Join(f.root, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fakeTree) read(name string) string {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.root, name))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(text)
}

// groups are the directories of groups, "" for the default one.
func (f *fakeTree) groups() []string {
	all := []string{""}
	entries, err := os.ReadDir(f.root)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && e.Name() != "info" {
			all = append(all, e.Name())
		}
	}
	return all
}

// of returns the threads of a group, ascending.
func (f *fakeTree) of(group string) (tids []int) {
	for _, word := range strings.Fields(f.read(filepath.Join(group, "tasks"))) {
		tid, err := strconv.Atoi(word)
		if err != nil {
			f.t.Fatal(err)
		}
		tids = append(tids, tid)
	}
	slices.Sort(tids)
	return tids
}

func (f *fakeTree) fill(group string, tids []int) {
	f.file(filepath.Join(group, "tasks"), strings.Trim(fmt.Sprintln(tids), "[]\n"))
}

func (f *fakeTree) system() system {
	return system{mkdir: f.mkdir, rmdir: f.rmdir, write: f.write}
}

func (f *fakeTree) mkdir(dir string) error {
	if len(f.groups()) == f.classes {
		return unix.ENOSPC
	}
	if err := kernel.mkdir(dir); err != nil {
		return err
	}
	name := filepath.Base(dir)
	f.file(filepath.Join(name, "tasks"), "")
	f.file(filepath.Join(name, "schemata"), f.read("schemata"))
	return nil
}

func (f *fakeTree) rmdir(dir string) error {
	name := filepath.Base(dir)
	f.fill("", append(f.of(""), f.of(name)...))
	return os.RemoveAll(dir)
}

func (f *fakeTree) write(file, text string) error {
	group, err := filepath.Rel(f.root, filepath.Dir(file))
	if err != nil {
		return err
	}
	if group == "." {
		group = ""
	}
	if filepath.Base(file) == "schemata" {
		for line := range strings.Lines(text) {
			resource, values, _ := strings.Cut(strings.TrimSpace(line), ":")
			for part := range strings.SplitSeq(values, ";") {
				_, value, _ := strings.Cut(part, "=")
				m, err := strconv.ParseUint(value, 16, 64)
				if err != nil || resource != "MB" && bits.Len64(m)-bits.TrailingZeros64(m) != bits.OnesCount64(m) {
					f.file("info/last_cmd_status", "The mask is not what I take\n")
					return unix.EINVAL
				}
			}
		}
		return os.WriteFile(file, []byte(text), 0o644)
	}
	tid, err := strconv.Atoi(text)
	if err != nil {
		return unix.EINVAL
	}
	if tid == 666 {
		return unix.ESRCH
	}
	for _, g := range f.groups() {
		if there := f.of(g); slices.Contains(there, tid) {
			f.fill(g, slices.DeleteFunc(there, func(t int) bool { return t == tid }))
		}
	}
	f.fill(group, append(f.of(group), tid))
	return nil
}
