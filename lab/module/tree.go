// SPDX-License-Identifier: Apache-2.0

package module

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vlibos/vlibos/hypervisor"
)

// tree is a source tree of Xen with the hook lines and this project's files.
type tree struct {
	dir string
	Variant
}

// Files in a tree that are not Xen's. busy exists while make works; if it is left
// over, objects may be incomplete. laid lists our files.
const (
	busy = ".vlibos-compiling"
	laid = ".vlibos-files"
)

// tree returns the tree of these sources with our current files, so that make
// compiles what has changed. The tree's key contains everything whose change make
// cannot see: the source, the hook lines, the compiler and its flags. Other trees
// of the variant are removed. The caller has the lock.
func (c *Cache) tree(ctx context.Context, src source, compiler string, log io.Writer) (*tree, error) {
	module := hypervisor.Module()
	names, err := moduleFiles(module)
	if err != nil {
		return nil, err
	}
	trees := filepath.Join(c.dir, "tree")
	if c.variant.Name != "" {
		trees += "-" + c.variant.Name
	}
	t := &tree{dir: filepath.Join(trees, key(src.id, compiler, string(hypervisor.Hooks()), builderRevision())), Variant: c.variant}
	if !t.usable(names) {
		fmt.Fprintf(log, "unpacking the source of Xen %s\n", src.version)
		if err := os.RemoveAll(trees); err != nil {
			return nil, err
		}
		if err := os.MkdirAll(trees, 0o755); err != nil {
			return nil, err
		}
		fresh := &tree{dir: filepath.Join(trees, "fresh")}
		if err := src.unpack(ctx, fresh.dir); err != nil {
			return nil, err
		}
		if err := fresh.hook(ctx); err != nil {
			return nil, err
		}
		if err := os.Rename(fresh.dir, t.dir); err != nil {
			return nil, err
		}
	}
	return t, t.lay(module, names)
}

// usable returns whether the tree can be updated: it exists, make was not killed in
// it, and each of our files in it is still one of names, because make would still
// use the others.
func (t *tree) usable(names []string) bool {
	if _, err := os.Stat(t.dir); err != nil {
		return false
	}
	if _, err := os.Stat(filepath.Join(t.dir, busy)); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	have, err := t.laid()
	return err == nil && !slices.ContainsFunc(have, func(name string) bool { return !slices.Contains(names, name) })
}

// laid returns those of our files that may be in the tree.
func (t *tree) laid() ([]string, error) {
	list, err := os.ReadFile(filepath.Join(t.dir, laid))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(list)), err
}

// module returns the folder to which our files are added.
func (t *tree) module() string { return filepath.Join(t.dir, "xen") }

// hook inserts the hook lines.
func (t *tree) hook(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "sh", "-s", t.dir)
	cmd.Stdin = bytes.NewReader(hypervisor.Hooks())
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("insert the hook lines: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// moduleFiles returns the paths of all files, sorted.
func moduleFiles(module fs.FS) ([]string, error) {
	var names []string
	err := fs.WalkDir(module, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	return names, err
}

// lay writes those of our files that differ from the tree's. The others keep their
// time, which make uses. A file of Xen is never replaced.
func (t *tree) lay(module fs.FS, names []string) error {
	have, err := t.laid()
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(t.module(), name)); err == nil && !slices.Contains(have, name) {
			return fmt.Errorf("add our files to Xen: xen/%s: %w: Xen has a file of this name, rename ours", name, fs.ErrExist)
		}
	}
	if err := os.WriteFile(filepath.Join(t.dir, laid), []byte(strings.Join(names, "\n")+"\n"), 0o644); err != nil {
		return err
	}
	for _, name := range names {
		data, err := fs.ReadFile(module, name)
		if err != nil {
			return err
		}
		file := filepath.Join(t.module(), name)
		if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, data) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
