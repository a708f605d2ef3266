// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vlibos/vlibos/lab/debs"
)

// packagesFolder is the cache's folder of segments:
//
//	packages/KEY.cpio    a segment, complete; KEY is that of the packages' content
//	packages/names-KEY   link to the segment for names; KEY is that of the names
const packagesFolder = "packages"

// scripts are packages that others need only for their scripts at installation.
// No script runs here.
var scripts = []string{
	"adduser", "base-files", "debconf", "debconf-2.0", "dpkg", "init-system-helpers", "lsb-base",
	"runit-helper", "sysvinit-utils", "ucf",
}

// unwanted are folders that programs can run without: documentation,
// translations, and tables of character sets.
var unwanted = []string{
	"/usr/share/bug/", "/usr/share/doc/", "/usr/share/info/", "/usr/share/lintian/", "/usr/share/locale/",
	"/usr/share/man/", "/usr/lib/x86_64-linux-gnu/gconv/",
}

// Segment returns the path of a segment of an initramfs that follows one of base:
// the named packages of its release and all their dependencies, without the files
// that base's images have. No script of the packages has run: users and keys
// exist only if they are files of a package. The segment does not change once it
// exists.
//
// The error is [debs.ErrNotOffered] for a name that the release does not offer.
// Names that were requested before need no network. It reports what it does on
// log.
func (c *Cache) Segment(ctx context.Context, base *Base, names []string, log io.Writer) (string, error) {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	asked := filepath.Join(c.Dir, packagesFolder, "names-"+shortHash(base.Key, strings.Join(names, " ")))
	if path, err := filepath.EvalSymlinks(asked); err == nil {
		return path, nil
	}
	unlock, err := c.Lock(ctx, "lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	apt, err := c.Release(ctx, base.Release, log)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(log, "looking for %s in the packages of %s\n", strings.Join(names, ", "), base.Release)
	var pkgs []debs.Package
	var files []string
	err = c.fetch(ctx, apt, false, log, func() (err error) {
		if pkgs, err = apt.Closure(ctx, names, func(name string) bool { return !slices.Contains(scripts, name) }); err == nil {
			files, err = c.download(ctx, apt, pkgs, log)
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("packages of %s for the images: %w", base.Release, err)
	}
	name := shortHash(base.Key, key(pkgs)) + ".cpio"
	path := filepath.Join(c.Dir, packagesFolder, name)
	if _, err := os.Stat(path); err != nil {
		fmt.Fprintf(log, "unpacking %d packages\n", len(files))
		if err := c.pack(ctx, base, pkgs, files, path); err != nil {
			return "", err
		}
	}
	return path, link(asked, name)
}

// forgetNames makes [Cache.Segment] look for newer packages. The caller has the
// lock.
func (c *Cache) forgetNames() error {
	links, err := filepath.Glob(filepath.Join(c.Dir, packagesFolder, "names-*"))
	for _, l := range links {
		err = errors.Join(err, os.Remove(l))
	}
	return err
}

// pack makes a segment of the packages' files.
func (c *Cache) pack(ctx context.Context, base *Base, pkgs []debs.Package, files []string, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(c.Dir, "tmp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	root, out := filepath.Join(tmp, "root"), filepath.Join(tmp, "out")
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	for _, file := range files {
		if err := debs.Unpack(ctx, file, root); err != nil {
			return err
		}
	}
	t, err := ReadTree(root)
	if err != nil {
		return err
	}
	if err := writeArchive(out, func(a *Archive) error { t.segment(a, base.present(pkgs)); return nil }); err != nil {
		return err
	}
	return os.Rename(out, path)
}

// present returns the files that both images already have in the packages'
// versions. It returns none if a package is there in another version, because
// their files must not be mixed.
func (b *Base) present(pkgs []debs.Package) []string {
	for _, p := range pkgs {
		if v, ok := b.Packages[p.Name]; ok && v != p.Version {
			return nil
		}
	}
	return b.Files
}

// segment adds all of the tree but the present and the unwanted files.
func (t *Tree) segment(a *Archive, present []string) {
	skip := func(name string) bool {
		return slices.ContainsFunc(unwanted, func(dir string) bool { return strings.HasPrefix(name+"/", dir) })
	}
	for _, name := range slices.Sorted(slices.Values(t.dirs)) {
		if !skip(name) {
			a.Dir(name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.host)) {
		if !skip(name) && !slices.Contains(present, name) {
			a.HostFile(name, t.host[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.link)) {
		if !skip(name) && !slices.Contains(present, name) {
			a.Symlink(name, t.link[name])
		}
	}
}

func shortHash(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:])[:16]
}
