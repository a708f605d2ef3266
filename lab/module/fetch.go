// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/vlibos/vlibos/lab/cachedir"
	"github.com/vlibos/vlibos/lab/debs"
	"github.com/vlibos/vlibos/lab/image"
)

// sourceName is the source package of Xen's binary packages.
const sourceName = "xen"

func (c *Cache) sourceDir(series string) string { return filepath.Join(c.dir, "source", series) }

// ErrNoSource says that the source of a Xen is not available, so that it cannot be
// built with the module.
var ErrNoSource = errors.New("its source is not available")

// source returns the source package of a series if it has been downloaded.
func (c *Cache) source(series string) (source, error) {
	src, err := debs.OpenSource(sourceName, c.sourceDir(series))
	return source{
		version: src.Version, id: src.Version,
		unpack: func(ctx context.Context, dir string) error { return debs.UnpackSource(ctx, src, dir) },
	}, err
}

// fetch returns the source package for base images. It downloads it if it is
// missing, or, with refresh, if there is a newer one. The caller has the lock.
func (c *Cache) fetch(ctx context.Context, base *image.Base, refresh bool, log io.Writer) (source, error) {
	if src, err := c.source(base.Xen); err == nil && !refresh {
		return src, nil
	}
	release, err := c.base.Release(ctx, base.Release, log)
	if err != nil {
		return source{}, err
	}
	fmt.Fprintf(log, "downloading the source of Xen %s of %s\n", base.Xen, base.Release)
	dir := c.sourceDir(base.Xen)
	err = cachedir.Make(c.dir, dir, func(_, out string) error {
		want := func(version string) bool { return isOfSeries(version, base.Xen) }
		if err := release.DownloadSource(ctx, out, sourceName, want, log); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("build Xen %s with the module: %w: %w", base.Xen, ErrNoSource, err)
		}
		return os.RemoveAll(dir) // remove an older one
	})
	if err != nil {
		return source{}, err
	}
	return c.source(base.Xen)
}

// isOfSeries reports whether a package's version belongs to a series: 4.17.5-1 and
// 4.17-1 belong to 4.17, 4.1.2-1 does not.
func isOfSeries(version, series string) bool {
	if _, upstream, ok := strings.Cut(version, ":"); ok { // an epoch
		version = upstream
	}
	rest, ok := strings.CutPrefix(version, series)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], ".-+~"))
}
