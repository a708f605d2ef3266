// SPDX-License-Identifier: Apache-2.0

package image

import (
	"debug/elf"
	"fmt"
	"path"
)

// libraryDirs are the folders in which glibc's ld.so looks on amd64 without a
// cache and a run path (Debian's multiarch folders).
var libraryDirs = []string{"/usr/lib/x86_64-linux-gnu", "/usr/lib"}

// interpreter is the dynamic linker's path in the psABI for amd64.
const interpreter = "/usr/lib64/ld-linux-x86-64.so.2"

// libraries returns the guest paths of the dynamic linker and of all shared
// libraries that the files need, directly or indirectly. A library that a program
// opens at run time is passed as one of the files.
func (t *Tree) libraries(files ...string) ([]string, error) {
	done := make(map[string]bool)
	out := []string{interpreter}
	if _, ok := t.Host(interpreter); !ok {
		return nil, fmt.Errorf("no package contains the dynamic linker %s", interpreter)
	}
	todo := files
	for len(todo) > 0 {
		file := todo[0]
		todo = todo[1:]
		host, ok := t.Host(file)
		if !ok {
			return nil, fmt.Errorf("no package contains %s", file)
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
				return nil, fmt.Errorf("no package contains the library %s, which %s needs", lib, file)
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
