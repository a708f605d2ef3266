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

// Image is a built hypervisor. It does not change once it exists.
type Image struct {
	// Path is the Multiboot file to boot, Symbols the ELF file with symbols.
	Path, Symbols string
	// Source is the version that it was built from: that of the source package,
	// or, if Given is true, that of the given source tree.
	Source string
	Given  bool
}

// Cache is the folder hypervisor in the lab's cache, with sources and images. Any
// number of processes may share it.
//
//	lock              flock: taken during a download or a build
//	source/SERIES/    the source package as downloaded; a folder of that name is complete
//	tree/KEY/         the source tree that was compiled last; tree-NAME/KEY/ of a variant
//	image/KEY/        built images; a folder of that name is complete
//	live/KEY/         live patches; a folder of that name is complete
type Cache struct {
	base    *image.Cache
	dir     string
	variant Variant
}

const folder = "hypervisor"

// NewCache returns the cache of hypervisors in a cache of the lab.
func NewCache(c *image.Cache) *Cache { return &Cache{base: c, dir: filepath.Join(c.Dir, folder)} }

// The files that determine an image, in addition to the sources and the compiler.
//
//go:embed compile.go given.go live.go tree.go variant.go
var builder embed.FS

// Build returns Xen with the module, of the series and the release of base images,
// whose tools are in Dom0. It is built from given, the folder of a source tree of
// Xen, or, if given is "", from the release's source package. If there is no
// source, the error is [ErrNoSource].
//
// It builds only if there is no image of this content, and uses no package source
// once the source package is there; with refresh it looks for a newer one. It
// reports what it does on log. Of two processes that call it at once, one builds
// and the other waits.
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

// source is the source that an image is built from.
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

// install copies the built files to dir.
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

// compilerVersion returns the first line of the compiler's version.
func compilerVersion(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, compiler, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", compiler, err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line, nil
}

// builderRevision names the code of this package that determines what is built.
func builderRevision() string {
	sum, err := hypervisor.Hash(builder)
	if err != nil {
		panic(err) // the files are in the binary
	}
	return sum
}

// key returns a short hash of the parts.
func key(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:])[:16]
}
