// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/vlibos/vlibos/dom0/platform/guard"
	"github.com/vlibos/vlibos/internal/cgroup"
)

// Guard is all that the guard's process does: it opens the gates of all domains
// below the parent and gives all their cgroups the standard weight when the
// daemon does not renew its lease, as [guard.Run] says.
func Guard(daemon io.ReadWriter, parent string) error {
	m, err := cgroup.FindMounts()
	if err != nil {
		return err
	}
	lock, err := lockGuards(m, parent)
	if err != nil {
		return err
	}
	hurry()
	// Weights are set once, gates are opened again and again.
	return guard.Run(daemon, func(first, _ bool) error { return open(m, parent, first) }, lock)
}

// lockGuards shares a lock with all guards of one parent.
func lockGuards(m cgroup.Mounts, parent string) (*os.File, error) {
	for _, root := range roots(m) {
		f, err := guard.Share(filepath.Join(root, parent))
		if cgroup.Gone(err) {
			continue // not in this hierarchy
		}
		return f, err
	}
	return nil, fmt.Errorf("guard: no cgroup %q in any hierarchy", parent)
}

// roots are all hierarchies, in an order that is the same in every process.
func roots(m cgroup.Mounts) []string {
	var all []string
	for _, root := range []string{m.V1["cpu"], m.V1["freezer"], m.V2} {
		if root != "" {
			all = append(all, root)
		}
	}
	return all
}

// open opens every gate below the parent in all hierarchies, and sets all
// weights, the parent's too, to the standard. What is gone needs nothing.
func open(m cgroup.Mounts, parent string, weights bool) error {
	var errs []error
	set := func(file, text string) {
		if err := cgroup.Write(file, text); err != nil && !cgroup.Gone(err) {
			errs = append(errs, explain(err))
		}
	}
	reset := func(dir string) {
		if weights {
			set(filepath.Join(dir, "cpu.idle"), "0")
			set(filepath.Join(dir, "cpu.shares"), strconv.Itoa(standard.v1))
			set(filepath.Join(dir, "cpu.weight"), strconv.Itoa(standard.v2))
		}
	}
	for _, root := range roots(m) {
		dir := filepath.Join(root, parent)
		entries, err := os.ReadDir(dir)
		if cgroup.Gone(err) {
			continue
		}
		if err != nil {
			errs = append(errs, explain(err))
		}
		for _, e := range entries {
			if e.IsDir() {
				child := filepath.Join(dir, e.Name())
				set(filepath.Join(child, "freezer.state"), "THAWED")
				set(filepath.Join(child, "cgroup.freeze"), "0")
				reset(child)
			}
		}
		reset(dir)
		if weights && (root == m.V1["cpu"] || m.V1["cpu"] == "") {
			version := 2
			if root == m.V1["cpu"] {
				version = 1
			}
			if err := setPriority(dir, version, 0); err != nil && !cgroup.Gone(err) {
				errs = append(errs, explain(err))
			}
		}
	}
	return errors.Join(errs...)
}
