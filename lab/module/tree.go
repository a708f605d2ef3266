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

// tree is a hooked source tree of Xen with this project's files in it.
type tree struct {
	dir    string
	config string // the variant's
}

// Files in a tree that are not Xen's: busy is there while make works, and where
// it was left behind may be half-written objects. laid lists our files.
const (
	busy = ".vlibos-compiling"
	laid = ".vlibos-files"
)

// tree returns the tree of these sources with our files up to date, so that
// make compiles what has changed. Everything that make cannot see a change of
// is in the tree's key: the source, the hook lines, the compiler and its flags.
// Other trees of the variant are removed. The lock is held.
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
	t := &tree{dir: filepath.Join(trees, key(src.id, compiler, string(hypervisor.Hooks()), builderRevision())), config: c.variant.config}
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

// usable says whether the tree can be brought up to date: it is there, make was
// not killed in it, and every file of ours in it is still one of names, for
// make would go on to use what is left of another.
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

// laid returns the files of ours that are in the tree, or may be.
func (t *tree) laid() ([]string, error) {
	list, err := os.ReadFile(filepath.Join(t.dir, laid))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(list)), err
}

// module is the folder that our files are laid over.
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

// lay writes those of our files that are not in the tree as they should be. The
// others keep their time, by which make goes. A file of Xen is never replaced.
func (t *tree) lay(module fs.FS, names []string) error {
	have, err := t.laid()
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(t.module(), name)); err == nil && !slices.Contains(have, name) {
			return fmt.Errorf("lay our files over Xen's: xen/%s: %w: it is Xen's own, rename ours", name, fs.ErrExist)
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
