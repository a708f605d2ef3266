// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// loader loads kernel modules by a modules.dep file, with the parameters from the
// kernel's command line, MODULE.NAME=VALUE.
type loader struct {
	dir    string
	deps   map[string][]string // the modules to load before each, in order
	params map[string]string
}

func newLoader(params map[string]string) (*loader, error) {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return nil, err
	}
	l := &loader{dir: "/lib/modules/" + unix.ByteSliceToString(uts.Release[:]), params: params}
	data, err := os.ReadFile(filepath.Join(l.dir, "modules.dep"))
	if err != nil {
		return nil, fmt.Errorf("the image is for another kernel: %w", err)
	}
	l.deps = parseModulesDep(string(data))
	return l, nil
}

// parseModulesDep reads lines "name.ko: dep.ko dep.ko", whose dependencies are
// loaded from right to left.
func parseModulesDep(text string) map[string][]string {
	deps := make(map[string][]string)
	for line := range strings.Lines(text) {
		name, list, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		var first []string
		for _, d := range strings.Fields(list) {
			first = append(first, strings.TrimSuffix(d, ".ko"))
		}
		slices.Reverse(first)
		deps[strings.TrimSuffix(name, ".ko")] = first
	}
	return deps
}

// load loads modules and their dependencies. It skips a module that is loaded, and
// one that is not in modules.dep because the kernel contains it.
func (l *loader) load(names ...string) error {
	for _, name := range names {
		deps, ok := l.deps[name]
		if !ok {
			continue
		}
		for _, m := range append(slices.Clone(deps), name) {
			if err := l.insert(m); err != nil {
				return fmt.Errorf("load module %s: %w", m, err)
			}
		}
	}
	return nil
}

func (l *loader) insert(name string) error {
	f, err := os.Open(filepath.Join(l.dir, name+".ko"))
	if err != nil {
		return err
	}
	defer f.Close()
	err = unix.FinitModule(int(f.Fd()), moduleParameters(l.params, name), 0)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

// moduleParameters returns the parameters of a module on the kernel's command line,
// ordered by name, so that they are the same each time.
func moduleParameters(params map[string]string, module string) string {
	var out []string
	for name, value := range params {
		if p, ok := strings.CutPrefix(name, module+"."); ok {
			out = append(out, p+"="+value)
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
