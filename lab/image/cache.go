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

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/lab/aside"
	"github.com/vlibos/vlibos/lab/debs"
)

// Cache is the folder that packages and base images are kept in. It may be
// shared by any number of processes.
//
//	lock             flock: held while packages are fetched or images are built
//	debs/            the packages as downloaded
//	base/KEY/        base images, complete if there: written aside and renamed
//	current-REVISION link to the base that runs of this builder take
//	hypervisor/      Xen with this project's module: see lab/module
//	contended/       the emulator's plugin for the contended mode: see lab/contended
type Cache struct{ Dir string }

// DefaultCache is $VLIBOS_CACHE or the folder vlibos in the user's cache folder.
func DefaultCache() (*Cache, error) {
	if dir := os.Getenv("VLIBOS_CACHE"); dir != "" {
		abs, err := filepath.Abs(dir)
		return &Cache{Dir: abs}, err
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("no cache folder, set VLIBOS_CACHE: %w", err)
	}
	return &Cache{Dir: filepath.Join(dir, "vlibos")}, nil
}

// Current returns the base images to boot, or an error that is
// [fs.ErrNotExist] when this builder has made none yet. It asks no package
// source, so that a prepared machine needs no network.
func (c *Cache) Current() (*Base, error) {
	target, err := os.Readlink(c.current())
	if err != nil {
		return nil, err
	}
	return OpenBase(filepath.Join(c.Dir, target))
}

func (c *Cache) current() string { return filepath.Join(c.Dir, "current-"+Revision()) }

// Prepare returns the current base images, and makes them if there are none.
// With refresh it looks for newer packages first. It says what it does on log.
// Two processes may call it at once: one builds, the other waits and finds it.
func (c *Cache) Prepare(ctx context.Context, refresh bool, log io.Writer) (*Base, error) {
	if b, err := c.Current(); !refresh && err == nil {
		return b, nil
	}
	unlock, err := c.Lock(ctx, "lock")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if b, err := c.Current(); !refresh && (err == nil || !errors.Is(err, fs.ErrNotExist)) {
		return b, err
	}
	if err := debs.Available(); err != nil {
		return nil, err
	}
	if refresh {
		if err := debs.Update(ctx, log); err != nil {
			return nil, err
		}
	}
	in, files, err := c.fetch(ctx, refresh, log)
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
	if err := c.setCurrent(name); err != nil {
		return nil, err
	}
	return c.Current()
}

// fetch finds and downloads the ingredients. Package lists that are missing, or
// so old that their files are gone from the server, are updated once.
func (c *Cache) fetch(ctx context.Context, updated bool, log io.Writer) (*Ingredients, []string, error) {
	for {
		fmt.Fprintln(log, "looking for Xen and a kernel in the machine's package sources")
		in, err := FindIngredients(ctx)
		var files []string
		if err == nil {
			files, err = c.download(ctx, in.Packages, log)
		}
		if err == nil || updated || ctx.Err() != nil {
			return in, files, err
		}
		fmt.Fprintf(log, "%v: updating the package lists\n", err)
		if uerr := debs.Update(ctx, log); uerr != nil {
			return nil, nil, errors.Join(err, uerr)
		}
		updated = true
	}
}

// download returns the paths of the packages' files in the cache.
func (c *Cache) download(ctx context.Context, pkgs []debs.Package, log io.Writer) ([]string, error) {
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
		got, err := debs.Download(ctx, tmp, missing)
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
	return aside.Make(c.Dir, filepath.Join(c.Dir, name), func(tmp, out string) error {
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

func (c *Cache) setCurrent(name string) error {
	tmp := c.current() + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(name, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, c.current())
}

// Lock takes a lock of the cache, which is the named file in it; a process that
// dies gives it back. It waits until ctx ends.
func (c *Cache) Lock(ctx context.Context, name string) (unlock func(), err error) {
	path := filepath.Join(c.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, err
	}
	if err := flock(ctx, int(f.Fd())); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return func() { f.Close() }, nil
}
