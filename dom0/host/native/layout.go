// SPDX-License-Identifier: Apache-2.0

package native

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/cgroup"
)

// hierarchy is a place of the parent cgroup.
type hierarchy struct {
	version int // 0: there is none
	root    string
	dir     string // root and the parent's name
}

// above are the directories from the root to the parent, both included.
func (h hierarchy) above() []string {
	all := []string{h.root}
	for name := range strings.SplitSeq(strings.TrimPrefix(h.dir, h.root+"/"), "/") {
		all = append(all, filepath.Join(all[len(all)-1], name))
	}
	return all
}

// layout says where each part of a domain is.
type layout struct {
	cpu, usage, freezer hierarchy
	cpuset              hierarchy // may be missing
}

// choose finds a place for everything below parent. version is the one that is
// tried first for each; 0 for the default.
func choose(m cgroup.Mounts, parent string, version int) (layout, error) {
	two := map[string]bool{"usage": m.V2 != "", "freezer": m.V2 != ""}
	if m.V2 != "" {
		have := controllers2(m.V2)
		two["cpu"], two["cpuset"] = slices.Contains(have, "cpu"), slices.Contains(have, "cpuset")
	}
	if version == 0 {
		version = 1
		if two["cpu"] {
			version = 2
		}
	}
	pick := func(side, controller string) hierarchy {
		root1 := m.V1[controller]
		if two[side] && (version == 2 || root1 == "") {
			return hierarchy{2, m.V2, filepath.Join(m.V2, parent)}
		}
		if root1 != "" {
			return hierarchy{1, root1, filepath.Join(root1, parent)}
		}
		return hierarchy{}
	}
	l := layout{
		cpu: pick("cpu", "cpu"), usage: pick("usage", "cpuacct"),
		freezer: pick("freezer", "freezer"), cpuset: pick("cpuset", "cpuset"),
	}
	for _, need := range []struct {
		hierarchy
		controller string
	}{{l.cpu, "cpu"}, {l.usage, "cpuacct"}, {l.freezer, "freezer"}} {
		if need.version == 0 {
			return layout{}, fmt.Errorf("host native is %w: /proc/self/mountinfo has no cgroup with the controller %s: mount version 2 (mount -t cgroup2 none /sys/fs/cgroup) or that controller (mount -t cgroup -o %s none /sys/fs/cgroup/%s)",
				host.ErrNotHere, need.controller, need.controller, need.controller)
		}
	}
	return l, nil
}

// places are the different directories of the layout. The CPU controller's is
// the first: a domain exists if it is there.
func (l layout) places() []hierarchy {
	var all []hierarchy
	for _, h := range []hierarchy{l.cpu, l.usage, l.freezer, l.cpuset} {
		if h.version != 0 && !slices.ContainsFunc(all, func(o hierarchy) bool { return o.dir == h.dir }) {
			all = append(all, h)
		}
	}
	return all
}

// prepare makes the parent in all places and enables its controllers.
func (l *layout) prepare() error {
	for _, h := range l.places() {
		if err := os.MkdirAll(h.dir, 0o755); err != nil {
			return explain(err)
		}
		// A process that can open the parent can lock it, and so make guards
		// wait.
		if err := os.Chmod(h.dir, 0o711); err != nil {
			return explain(err)
		}
	}
	if l.cpu.version == 2 {
		if err := enable(l.cpu, "cpu"); err != nil {
			return err
		}
	}
	switch l.cpuset.version {
	case 1:
		return inheritAll(l.cpuset)
	case 2:
		if enable(l.cpuset, "cpuset") != nil {
			l.cpuset = hierarchy{} // it may be delegated without
		}
	}
	return nil
}

// enable enables a controller for the children of every directory from the root
// of the hierarchy to the parent.
func enable(h hierarchy, controller string) error {
	for _, dir := range h.above() {
		file := filepath.Join(dir, "cgroup.subtree_control")
		text, err := os.ReadFile(file)
		if err == nil && !slices.Contains(strings.Fields(string(text)), controller) {
			err = cgroup.Write(file, "+"+controller)
		}
		if err != nil {
			return explain(fmt.Errorf("giving the controller %s to the children of %s: %w", controller, dir, err))
		}
	}
	return nil
}

// inheritAll fills the cpuset of the parent and of the directories between it
// and the root: version 1 leaves it empty, and an empty one takes no process.
func inheritAll(h hierarchy) error {
	for _, dir := range h.above()[1:] {
		if err := inherit(dir); err != nil {
			return err
		}
	}
	return nil
}

func inherit(dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		own, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return explain(err)
		}
		if strings.TrimSpace(string(own)) != "" {
			continue
		}
		upper, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
		if err == nil {
			err = cgroup.Write(filepath.Join(dir, name), strings.TrimSpace(string(upper)))
		}
		if err != nil {
			return explain(err)
		}
	}
	return nil
}

// explain adds what to do to the kernel's refusals. The error names the file.
func explain(err error) error {
	if cgroup.Denied(err) {
		return fmt.Errorf("%w: %w: run as root or delegate the cgroup to this user", host.ErrNotAllowed, err)
	}
	return err
}

// controllers2 are the controllers that version 2 has at a directory.
func controllers2(dir string) []string {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}
