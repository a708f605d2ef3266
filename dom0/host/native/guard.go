// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/dom0/host/threads"
	"github.com/vlibos/vlibos/internal/cgroup"
)

// Guard is all that the guard's process does when the daemon does not renew its
// lease, as [keeper.Guard] says: it opens the gates of all domains below the
// parent, and restores the settings of their cgroups and of threads on
// reservations.
func Guard(daemon io.ReadWriter, parent string) error {
	m, err := cgroup.FindMounts()
	if err != nil {
		return err
	}
	lock, err := lockGuards(m, parent)
	if err != nil {
		return err
	}
	return keeper.Guard(daemon, func(first, dead bool, note string) error {
		return errors.Join(open(m, parent, first, dead), threads.Undo(note))
	}, lock)
}

// lockGuards shares a lock with all guards of one parent.
func lockGuards(m cgroup.Mounts, parent string) (*os.File, error) {
	dir, err := guardDir(m, parent)
	if err != nil {
		return nil, err
	}
	return keeper.Share(dir)
}

// guardDir is the parent's folder by which all processes that control it find
// each other, whichever version they prefer.
func guardDir(m cgroup.Mounts, parent string) (string, error) {
	for _, root := range roots(m) {
		dir := filepath.Join(root, parent)
		if _, err := os.Stat(dir); cgroup.Gone(err) {
			continue // not in this hierarchy
		} else if err != nil {
			return "", explain(err)
		}
		return dir, nil
	}
	return "", fmt.Errorf("no cgroup %q in any hierarchy", parent)
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

// open opens every gate below the parent, in all hierarchies, that a daemon has
// closed. With weights it restores all weights, the parent's too, which is done
// once. forget says that no process will use them again. A cgroup that is gone
// is ignored.
func open(m cgroup.Mounts, parent string, weights, forget bool) error {
	var errs []error
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
				for version2, file := range map[bool]string{false: "freezer.state", true: "cgroup.freeze"} {
					if err := reopen(filepath.Join(dir, e.Name(), file), version2, forget); err != nil && !cgroup.Gone(err) {
						errs = append(errs, explain(err))
					}
				}
			}
		}
		if !weights || root == m.V1["freezer"] && root != m.V1["cpu"] {
			continue
		}
		version := 2
		if root == m.V1["cpu"] {
			version = 1
		}
		errs = append(errs, restoreAll(dir, version, func(string) bool { return false }, forget))
		if version == 1 || m.V1["cpu"] == "" {
			if err := setPriority(dir, version, 0); err != nil && !cgroup.Gone(err) {
				errs = append(errs, explain(err))
			}
		}
	}
	return errors.Join(errs...)
}
