// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// givenSource returns the source tree of Xen in a folder, which is copied and not
// changed. Its id is the hash of all its files but git's own.
func givenSource(dir, series string) (source, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return source{}, err
	}
	version, err := treeVersion(dir)
	if err != nil {
		return source{}, fmt.Errorf("the given source of Xen: %w", err)
	}
	if !isOfSeries(version, series) {
		return source{}, fmt.Errorf("the given source of Xen, %s, is version %s, and Dom0's tools are version %s: use the release with the same version", dir, version, series)
	}
	sum, err := treeHash(dir)
	if err != nil {
		return source{}, fmt.Errorf("the given source of Xen: %w", err)
	}
	return source{version: version, id: "tree " + sum, given: true, unpack: func(ctx context.Context, to string) error {
		if err := copyTree(dir, to); err != nil {
			return fmt.Errorf("copy the given source of Xen: %w", err)
		}
		// Files that were built in the tree belong to another configuration.
		out, err := exec.CommandContext(ctx, "make", "-C", filepath.Join(to, "xen"), "distclean").CombinedOutput()
		if err != nil {
			return fmt.Errorf("clean the copy of the given source of Xen: %w: %s", err, lastLines(string(out), 5))
		}
		return nil
	}}, nil
}

var versionLine = regexp.MustCompile(`(?m)^(?:export )?XEN_(VERSION|SUBVERSION|EXTRAVERSION)\s*[?:]?=\s*([^\s$]*)`)

// treeVersion reads the version of a source tree from the variables in Xen's own
// makefile, for example 4.17.5 or 4.18-rc.
func treeVersion(dir string) (string, error) {
	file := filepath.Join(dir, "xen/Makefile")
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	values := make(map[string]string)
	for _, m := range versionLine.FindAllStringSubmatch(string(text), -1) {
		values[m[1]] = m[2]
	}
	if values["VERSION"] == "" || values["SUBVERSION"] == "" {
		return "", fmt.Errorf("%s contains no version of Xen", file)
	}
	return values["VERSION"] + "." + values["SUBVERSION"] + values["EXTRAVERSION"], nil
}

// walkTree calls visit for each file and symbolic link of a tree, with its path
// relative to dir, in order.
func walkTree(dir string, visit func(name string, d fs.DirEntry) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case d.Name() == ".git": // a folder, or a file in a linked work tree
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		case !d.Type().IsRegular() && d.Type() != fs.ModeSymlink:
			return nil
		}
		return visit(name, d)
	})
}

func treeHash(dir string) (string, error) {
	h := sha256.New()
	err := walkTree(dir, func(name string, d fs.DirEntry) error {
		path := filepath.Join(dir, name)
		if d.Type() == fs.ModeSymlink {
			target, err := os.Readlink(path)
			fmt.Fprintf(h, "%s -> %s\n", name, target)
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %o %d\n", name, info.Mode().Perm()&0o111, info.Size())
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(h, f)
		return err
	})
	return hex.EncodeToString(h.Sum(nil))[:16], err
}

// copyTree copies a tree to the folder to, which must not exist.
func copyTree(dir, to string) error {
	return walkTree(dir, func(name string, d fs.DirEntry) error {
		from, path := filepath.Join(dir, name), filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if d.Type() == fs.ModeSymlink {
			target, err := os.Readlink(from)
			if err != nil {
				return err
			}
			return os.Symlink(target, path)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		return os.WriteFile(path, data, info.Mode().Perm()|0o200)
	})
}
