// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/vlibos/vlibos/lab/cachedir"
	"github.com/vlibos/vlibos/lab/debs"
)

// Cache is the folder of packages and base images. Any number of processes may
// share it.
//
//	lock           flock: taken while packages are fetched or images are built
//	apt/RELEASE/   the packages that a release of Debian offers ([debs.OpenRelease])
//	debs/          packages as downloaded
//	base/KEY/      base images; a folder of that name is complete
//	current-RELEASE-REVISION  link to the base that this builder's runs use
//	packages/      additional packages for the images ([Cache.Segment])
//	hypervisor/    Xen with this project's module (lab/module)
//	processor/     QEMU with the emulated processors (lab/processor)
//	contended/     the emulator's plugins (lab/membus)
type Cache struct{ Dir string }

// DefaultCache is $VLIBOS_CACHE, or the folder vlibos in the user's cache folder.
func DefaultCache() (*Cache, error) {
	if dir := os.Getenv("VLIBOS_CACHE"); dir != "" {
		abs, err := filepath.Abs(dir)
		return &Cache{Dir: abs}, err
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("no cache folder: set VLIBOS_CACHE: %w", err)
	}
	return &Cache{Dir: filepath.Join(dir, "vlibos")}, nil
}

// Current returns the base images of a release. The error is [fs.ErrNotExist] if
// this builder has made none yet. It uses no package source, so that a prepared
// machine needs no network.
func (c *Cache) Current(release string) (*Base, error) {
	target, err := os.Readlink(c.current(release))
	if err != nil {
		return nil, err
	}
	return OpenBase(filepath.Join(c.Dir, target))
}

func (c *Cache) current(release string) string {
	return filepath.Join(c.Dir, "current-"+release+"-"+Revision())
}

// Release returns the packages that a release of Debian offers. On some machines
// it installs Debian's keys ([debs.OpenRelease]).
func (c *Cache) Release(ctx context.Context, name string, log io.Writer) (*debs.Release, error) {
	if err := debs.Available(); err != nil {
		return nil, err
	}
	return debs.OpenRelease(ctx, filepath.Join(c.Dir, "apt", name), name, log)
}

// Prepare returns the current base images of a release, one of [Releases], and
// makes them if there are none. With refresh it looks for newer packages first.
// It reports what it does on log. Of two processes that call it at once, one
// builds and the other waits.
func (c *Cache) Prepare(ctx context.Context, release string, refresh bool, log io.Writer) (*Base, error) {
	if b, err := c.Current(release); !refresh && err == nil {
		return b, nil
	}
	unlock, err := c.Lock(ctx, "lock")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if b, err := c.Current(release); !refresh && (err == nil || !errors.Is(err, fs.ErrNotExist)) {
		return b, err
	}
	apt, err := c.Release(ctx, release, log)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(log, "looking for Xen and a kernel in the packages of %s\n", release)
	var in *Ingredients
	var files []string
	err = c.fetch(ctx, apt, refresh, log, func() (err error) {
		if in, err = FindIngredients(ctx, apt); err == nil {
			files, err = c.download(ctx, apt, in.Packages, log)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	name := filepath.Join("base", key(in.Packages))
	if _, err := os.Stat(filepath.Join(c.Dir, name, manifest)); err != nil {
		fmt.Fprintf(log, "building the base images (Xen %s, %d packages)\n", in.Xen, len(files))
		if err := c.install(ctx, in, files, name); err != nil {
			return nil, err
		}
	}
	if refresh {
		if err := c.forgetNames(); err != nil {
			return nil, err
		}
	}
	if err := link(c.current(release), name); err != nil {
		return nil, err
	}
	return c.Current(release)
}

// fetch calls get, which finds and downloads packages. It updates the package
// lists once if they are missing, or so old that the server does not have their
// files any more; and, with refresh, before the call.
func (c *Cache) fetch(ctx context.Context, apt *debs.Release, refresh bool, log io.Writer, get func() error) error {
	if refresh {
		if err := apt.Update(ctx, log); err != nil {
			return err
		}
	}
	err := get()
	if err == nil || refresh || ctx.Err() != nil {
		return err
	}
	if uerr := apt.Update(ctx, log); uerr != nil {
		return errors.Join(err, uerr)
	}
	return get()
}

// Unpacked returns a folder with the files of packages of a release and of those
// dependencies that follow selects ([debs.Apt.Unpacked]).
func (c *Cache) Unpacked(ctx context.Context, release string, names []string, follow func(name string) bool, log io.Writer) (root string, err error) {
	apt, err := c.Release(ctx, release, log)
	if err != nil {
		return "", err
	}
	err = c.fetch(ctx, apt, false, log, func() (err error) {
		root, err = apt.Unpacked(ctx, c.Dir, names, follow)
		return err
	})
	return root, err
}

// download returns the paths of the packages' files, which it downloads if the
// cache does not have them.
func (c *Cache) download(ctx context.Context, apt *debs.Release, pkgs []debs.Package, log io.Writer) ([]string, error) {
	dir := filepath.Join(c.Dir, "debs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var missing []debs.Package
	for _, p := range pkgs {
		if _, err := os.Stat(filepath.Join(dir, debFile(p))); err != nil {
			missing = append(missing, p)
		}
	}
	if len(missing) > 0 {
		fmt.Fprintf(log, "downloading %d packages\n", len(missing))
		tmp, err := os.MkdirTemp(dir, "tmp-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(tmp)
		got, err := apt.Download(ctx, tmp, missing)
		if err != nil {
			return nil, err
		}
		for _, file := range got {
			name, err := url.PathUnescape(filepath.Base(file))
			if err != nil {
				return nil, err
			}
			// apt names a file NAME_VERSION_ARCHITECTURE.deb.
			if i := strings.LastIndexByte(name, '_'); i >= 0 {
				name = name[:i] + ".deb"
			}
			if err := os.Rename(file, filepath.Join(dir, name)); err != nil {
				return nil, err
			}
		}
	}
	var files []string
	for _, p := range pkgs {
		files = append(files, filepath.Join(dir, debFile(p)))
	}
	return files, nil
}

func debFile(p debs.Package) string { return p.Name + "_" + p.Version + ".deb" }

// install builds base images.
func (c *Cache) install(ctx context.Context, in *Ingredients, files []string, name string) error {
	return cachedir.Make(c.Dir, filepath.Join(c.Dir, name), func(tmp, out string) error {
		root := filepath.Join(tmp, "root")
		if err := os.Mkdir(root, 0o755); err != nil {
			return err
		}
		for _, file := range files {
			if err := debs.Unpack(ctx, file, root); err != nil {
				return err
			}
		}
		if err := build(ctx, in, root, out); err != nil {
			return fmt.Errorf("build the base images: %w", err)
		}
		return nil
	})
}

// link makes or replaces the symbolic link name. The caller has the lock.
func link(name, target string) error {
	tmp := name + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}

// Lock takes a lock of the cache, the file of that name in it. The lock of a
// process that ends is released. Lock waits until ctx ends.
func (c *Cache) Lock(ctx context.Context, name string) (unlock func(), err error) {
	return cachedir.Lock(ctx, filepath.Join(c.Dir, name))
}
