// SPDX-License-Identifier: Apache-2.0

package image

import (
	"debug/elf"
	"fmt"
	"path"
)

// libraryDirs is where glibc's ld.so looks on amd64 with neither a cache nor
// a run path (Debian's multiarch folders).
var libraryDirs = []string{"/usr/lib/x86_64-linux-gnu", "/usr/lib"}

// interpreter is the path that the psABI for amd64 fixes.
const interpreter = "/usr/lib64/ld-linux-x86-64.so.2"

// libraries returns the guest paths of all shared libraries that the given
// files need, directly or through one another, with the dynamic linker.
// Libraries to open at run time are named as further files.
func (t *Tree) libraries(files ...string) ([]string, error) {
	done := make(map[string]bool)
	out := []string{interpreter}
	if _, ok := t.Host(interpreter); !ok {
		return nil, fmt.Errorf("dynamic linker %s is in no package", interpreter)
	}
	todo := files
	for len(todo) > 0 {
		file := todo[0]
		todo = todo[1:]
		host, ok := t.Host(file)
		if !ok {
			return nil, fmt.Errorf("%s is in no package", file)
		}
		needed, err := neededBy(host)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		for _, lib := range needed {
			if done[lib] {
				continue
			}
			done[lib] = true
			p, ok := t.library(lib)
			if !ok {
				return nil, fmt.Errorf("library %s, needed by %s, is in no package", lib, file)
			}
			if path.Base(interpreter) != lib {
				out = append(out, p)
			}
			todo = append(todo, p)
		}
	}
	return out, nil
}

func (t *Tree) library(name string) (string, bool) {
	if name == path.Base(interpreter) {
		return interpreter, true
	}
	for _, dir := range libraryDirs {
		p := path.Join(dir, name)
		if _, ok := t.Host(p); ok {
			return p, true
		}
	}
	return "", false
}

func neededBy(host string) ([]string, error) {
	f, err := elf.Open(host)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ImportedLibraries()
}
