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
	"github.com/vlibos/vlibos/lab/aside"
	"github.com/vlibos/vlibos/lab/debs"
	"github.com/vlibos/vlibos/lab/image"
)

// Image is a built hypervisor. It is never changed once it is there.
type Image struct {
	// Path is the Multiboot file to boot, Symbols the ELF file with symbols.
	Path, Symbols string
	// Source is the version of the source package.
	Source string
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
//go:embed compile.go tree.go variant.go
var builder embed.FS

// Build returns Xen of a series, for example "4.17", with the module in it. It
// builds it if there is none of this content, and asks no package source once
// there is a source package; with refresh it looks for a newer one. It says
// what it does on log. Of two processes that call it at once, one builds and
// the other waits and finds it.
func (c *Cache) Build(ctx context.Context, series string, refresh bool, log io.Writer) (*Image, error) {
	compiler, err := compilerVersion(ctx)
	if err != nil {
		return nil, err
	}
	if src, err := c.source(series); err == nil && !refresh {
		if img, err := c.image(src, compiler); err == nil {
			return img, nil
		}
	}
	unlock, err := c.base.Lock(ctx, filepath.Join(folder, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	src, err := c.fetch(ctx, series, refresh, log)
	if err != nil {
		return nil, err
	}
	if img, err := c.image(src, compiler); err == nil {
		return img, nil
	}
	t, err := c.tree(ctx, src, compiler, log)
	if err != nil {
		return nil, err
	}
	if err := t.compile(ctx, src.Version, log); err != nil {
		return nil, err
	}
	if err := c.install(t, c.imageDir(src, compiler)); err != nil {
		return nil, err
	}
	return c.image(src, compiler)
}

// image returns the image of these sources if it has been built.
func (c *Cache) image(src debs.Source, compiler string) (*Image, error) {
	dir := c.imageDir(src, compiler)
	img := &Image{Path: filepath.Join(dir, imageName), Symbols: filepath.Join(dir, symbolsName), Source: src.Version}
	_, err := os.Stat(img.Path)
	return img, err
}

func (c *Cache) imageDir(src debs.Source, compiler string) string {
	return filepath.Join(c.dir, "image", key(src.Version, compiler, hypervisor.Revision(), builderRevision(), c.variant.Name))
}

// install copies what was built to dir.
func (c *Cache) install(t *tree, dir string) error {
	return aside.Make(c.dir, dir, func(_, out string) error {
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
