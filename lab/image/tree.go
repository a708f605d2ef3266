// SPDX-License-Identifier: Apache-2.0

package image

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Tree is the root file system that unpacked packages make together, by path with
// merged /usr. It does not change after it was read.
type Tree struct {
	host map[string]string // guest path of a regular file → path on this machine
	link map[string]string // guest path of a symbolic link → its target
	dirs []string          // guest paths of folders, without the links into /usr
}

// ReadTree reads the packages that were unpacked under dir.
func ReadTree(dir string) (*Tree, error) {
	t := &Tree{host: make(map[string]string), link: make(map[string]string)}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		guest := merged(filepath.ToSlash(rel))
		switch d.Type() {
		case fs.ModeDir:
			if guest != "/" && merged(guest+"/x") == guest+"/x" {
				t.dirs = append(t.dirs, guest)
			}
		case 0:
			t.host[guest] = p
		case fs.ModeSymlink:
			if t.link[guest], err = os.Readlink(p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read unpacked packages: %w", err)
	}
	return t, nil
}

// Host returns the path on this machine of a file with a guest path. It follows
// links within the tree.
func (t *Tree) Host(name string) (string, bool) {
	name = merged(name)
	for range 16 {
		if h, ok := t.host[name]; ok {
			return h, true
		}
		target, ok := t.link[name]
		if !ok {
			return "", false
		}
		if !strings.HasPrefix(target, "/") {
			target = path.Join(path.Dir(name), target)
		}
		name = merged(target)
	}
	return "", false
}

// Glob returns the guest paths of files and links that match a pattern of
// [path.Match], in no order.
func (t *Tree) Glob(pattern string) []string {
	var out []string
	for _, m := range []map[string]string{t.host, t.link} {
		for name := range m {
			if ok, err := path.Match(pattern, name); ok && err == nil {
				out = append(out, name)
			}
		}
	}
	return out
}
