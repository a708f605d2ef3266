// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package linux

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/memory/resctrl"
)

// mounted mounts the file system until the end of the test, with a group of another
// program in it.
func mounted(t *testing.T, options string) {
	t.Helper()
	if err := unix.Mount("resctrl", resctrl.Root, "resctrl", 0, options); err != nil {
		t.Fatalf("mount -t resctrl -o %q: %v", options, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(resctrl.Root, 0); err != nil {
			t.Error(err)
		}
	})
	group(t, "other")
}

// group makes another program's group.
func group(t *testing.T, name string) {
	t.Helper()
	dir := filepath.Join(resctrl.Root, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dir) })
}

// set writes to a file of the file system, and returns the kernel's refusal.
func set(t *testing.T, file, text string) error {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(resctrl.Root, file), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(resctrl.Root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// schemata returns the values of a group by resource, of the first cache.
func schemata(t *testing.T, group string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for line := range strings.Lines(read(t, filepath.Join(group, "schemata"))) {
		resource, values, _ := strings.Cut(strings.TrimSpace(line), ":")
		first, _, _ := strings.Cut(values, ";")
		_, value, _ := strings.Cut(first, "=")
		all[resource] = strings.TrimLeft(strings.TrimSpace(value), "0")
	}
	return all
}

// ways changes the masks of a group from those of the default one.
func ways(t *testing.T, group string, f func(mask uint64) uint64) {
	t.Helper()
	for line := range strings.Lines(read(t, "schemata")) {
		resource, values, _ := strings.Cut(strings.TrimSpace(line), ":")
		if resource == "MB" {
			continue
		}
		words := strings.Split(values, ";")
		for i, word := range words {
			id, value, _ := strings.Cut(word, "=")
			mask, err := strconv.ParseUint(value, 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			words[i] = fmt.Sprintf("%s=%x", id, f(mask))
		}
		if err := set(t, filepath.Join(group, "schemata"), resource+":"+strings.Join(words, ";")+"\n"); err != nil {
			t.Fatal(err, read(t, "info/last_cmd_status"))
		}
	}
}

// groups are the names of all groups but the default one, sorted.
func groups(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(resctrl.Root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, err := os.Stat(filepath.Join(resctrl.Root, e.Name(), "tasks")); err == nil {
			names = append(names, e.Name())
		}
	}
	return names
}
