// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/vlibos/vlibos/hypervisor"
	"github.com/vlibos/vlibos/lab/cachedir"
	"github.com/vlibos/vlibos/lab/image"
)

// Image is a built hypervisor. It is never changed once it is there.
type Image struct {
	// Path is the Multiboot file to boot, Symbols the ELF file with symbols.
	Path, Symbols string
	// Source is the version that it was built from: the source package's, or
	// that of a given source tree, and then Given is true.
	Source string
	Given  bool
}

// Cache is where sources and images are kept, in the folder hypervisor of the
// lab's cache. It may be shared by any number of processes.
//
//	lock              flock: held while something is fetched or built
//	source/SERIES/    the source package as downloaded, complete if there
//	tree/KEY/         the one source tree that was compiled last; tree-NAME/KEY/ of a variant
//	image/KEY/        built images, complete if there: written aside and renamed
type Cache struct {
	base    *image.Cache
	dir     string
	variant Variant
}

const folder = "hypervisor"

// NewCache returns the cache of hypervisors in a cache of the lab.
func NewCache(c *image.Cache) *Cache { return &Cache{base: c, dir: filepath.Join(c.Dir, folder)} }

// What decides the bytes of an image beside the sources and the compiler.
//
//go:embed compile.go given.go tree.go variant.go
var builder embed.FS

// Build returns Xen of the series and the release of base images, as their tools
// are in Dom0, with the module in it. It is built from the release's source
// package, or from given, the folder of a source tree of Xen, if that is not "".
// Where there is neither it is [ErrNoSource].
//
// It builds if there is none of this content, and asks no package source once
// there is a source package; with refresh it looks for a newer one. It says
// what it does on log. Of two processes that call it at once, one builds and
// the other waits and finds it.
func (c *Cache) Build(ctx context.Context, base *image.Base, given string, refresh bool, log io.Writer) (*Image, error) {
	compiler, err := compilerVersion(ctx)
	if err != nil {
		return nil, err
	}
	find := func() (source, error) { return c.source(base.Xen) }
	if given != "" {
		find = func() (source, error) { return givenSource(given, base.Xen) }
	}
	src, err := find()
	if err == nil && !(refresh && given == "") {
		if img, err := c.image(src, compiler); err == nil {
			return img, nil
		}
	}
	if err != nil && given != "" {
		return nil, err
	}
	unlock, err := c.base.Lock(ctx, filepath.Join(folder, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if given == "" {
		if src, err = c.fetch(ctx, base, refresh, log); err != nil {
			return nil, err
		}
	}
	if img, err := c.image(src, compiler); err == nil {
		return img, nil
	}
	t, err := c.tree(ctx, src, compiler, log)
	if err != nil {
		return nil, err
	}
	if err := t.compile(ctx, src.version, log); err != nil {
		return nil, err
	}
	if err := c.install(t, c.imageDir(src, compiler)); err != nil {
		return nil, err
	}
	return c.image(src, compiler)
}

// source is what an image is built from.
type source struct {
	version string
	id      string // names its content
	given   bool
	// unpack makes the folder dir with the source, ready to be built.
	unpack func(ctx context.Context, dir string) error
}

// image returns the image of these sources if it has been built.
func (c *Cache) image(src source, compiler string) (*Image, error) {
	dir := c.imageDir(src, compiler)
	img := &Image{Path: filepath.Join(dir, imageName), Symbols: filepath.Join(dir, symbolsName), Source: src.version, Given: src.given}
	_, err := os.Stat(img.Path)
	return img, err
}

func (c *Cache) imageDir(src source, compiler string) string {
	return filepath.Join(c.dir, "image", key(src.id, compiler, hypervisor.Revision(), builderRevision(), c.variant.Name))
}

// install copies what was built to dir.
func (c *Cache) install(t *tree, dir string) error {
	return cachedir.Make(c.dir, dir, func(_, out string) error {
		for _, name := range []string{imageName, symbolsName} {
			data, err := os.ReadFile(filepath.Join(t.dir, "xen", name))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(out, name), data, 0o644); err != nil {
				return err
			}
		}
		return nil
	})
}

// compilerVersion is what the compiler says of itself, in its first line.
func compilerVersion(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, compiler, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", compiler, err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line, nil
}

// builderRevision names the code of this package that decides what is built.
func builderRevision() string {
	sum, err := hypervisor.Hash(builder)
	if err != nil {
		panic(err) // the files are in the binary
	}
	return sum
}

// key is a short name for the content that the parts name.
func key(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:])[:16]
}
