// SPDX-License-Identifier: Apache-2.0

package image

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
)

// modules are the loadable modules of one kernel, by name with underscores.
type modules struct {
	release string            // the kernel's release, as in /lib/modules/RELEASE
	path    map[string]string // name → guest path in the tree
	builtin map[string]bool
	tree    *Tree
}

// kernelModules finds the modules of a kernel release in the tree.
func (t *Tree) kernelModules(release string) (*modules, error) {
	dir := "/usr/lib/modules/" + release
	m := &modules{release: release, path: make(map[string]string), builtin: make(map[string]bool), tree: t}
	for p := range t.host {
		if base, _, ok := strings.Cut(path.Base(p), ".ko"); ok && strings.HasPrefix(p, dir+"/kernel/") {
			m.path[moduleName(base)] = p
		}
	}
	if host, ok := t.Host(dir + "/modules.builtin"); ok {
		list, err := os.ReadFile(host)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(list)) {
			base, _, _ := strings.Cut(path.Base(strings.TrimSpace(line)), ".ko")
			m.builtin[moduleName(base)] = true
		}
	}
	if len(m.path) == 0 {
		return nil, fmt.Errorf("no package contains modules under %s", dir)
	}
	return m, nil
}

// addTo adds the named modules and their dependencies to an image, with a
// modules.dep for `modprobe`. A module that is built into the kernel needs no
// file; one that does not exist is an error.
func (m *modules) addTo(a *Archive, names ...string) error {
	dir := "/lib/modules/" + m.release
	var dep strings.Builder
	deps := make(map[string][]string)
	var visit func(name, by string) error
	visit = func(name, by string) error {
		name = moduleName(name)
		if _, ok := deps[name]; ok || m.builtin[name] {
			return nil
		}
		p, ok := m.path[name]
		if !ok {
			return fmt.Errorf("module %s, which %s needs, is not in kernel %s", name, by, m.release)
		}
		host, _ := m.tree.Host(p)
		data, err := readCompressed(host)
		if err != nil {
			return fmt.Errorf("module %s: %w", name, err)
		}
		direct, err := moduleDepends(data)
		if err != nil {
			return fmt.Errorf("module %s: %w", name, err)
		}
		// modprobe loads the dependencies of a line from right to left. So each
		// module comes before its own dependencies (depmod's order).
		all := []string{}
		deps[name] = all
		for _, d := range direct {
			if err := visit(d, name); err != nil {
				return err
			}
			d = moduleName(d)
			if m.builtin[d] {
				continue
			}
			for _, x := range append([]string{d}, deps[d]...) {
				if i := slices.Index(all, x); i >= 0 {
					all = slices.Delete(all, i, i+1)
				}
				all = append(all, x)
			}
		}
		deps[name] = all
		a.File(dir+"/"+name+".ko", 0o644, data)
		fmt.Fprintf(&dep, "%s.ko:", name)
		for _, d := range all {
			fmt.Fprintf(&dep, " %s.ko", d)
		}
		dep.WriteByte('\n')
		return nil
	}
	for _, n := range names {
		if err := visit(n, "the lab"); err != nil {
			return err
		}
	}
	a.File(dir+"/modules.dep", 0o644, []byte(dep.String()))
	return nil
}

// moduleDepends reads "depends=a,b" in a module's .modinfo section.
func moduleDepends(data []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sec := f.Section(".modinfo")
	if sec == nil {
		return nil, fmt.Errorf("no .modinfo section")
	}
	info, err := sec.Data()
	if err != nil {
		return nil, err
	}
	for field := range bytes.SplitSeq(info, []byte{0}) {
		if list, ok := bytes.CutPrefix(field, []byte("depends=")); ok && len(list) > 0 {
			return strings.Split(string(list), ","), nil
		}
	}
	return nil, nil
}

func moduleName(s string) string { return strings.ReplaceAll(s, "-", "_") }
