// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/vlibos/vlibos/lab/aside"
	"github.com/vlibos/vlibos/lab/debs"
)

// sourceName is the source package that Xen's binary packages are built from.
const sourceName = "xen"

func (c *Cache) sourceDir(series string) string { return filepath.Join(c.dir, "source", series) }

// source returns the source package of a series if it has been downloaded.
func (c *Cache) source(series string) (debs.Source, error) {
	return debs.OpenSource(sourceName, c.sourceDir(series))
}

// fetch returns the source package of a series and downloads it if it is not
// there, or if refresh asks for a newer one. The lock is held.
func (c *Cache) fetch(ctx context.Context, series string, refresh bool, log io.Writer) (debs.Source, error) {
	if src, err := c.source(series); err == nil && !refresh {
		return src, nil
	}
	if err := debs.Available(); err != nil {
		return debs.Source{}, err
	}
	fmt.Fprintf(log, "downloading the source of Xen %s from the machine's package sources\n", series)
	dir := c.sourceDir(series)
	err := aside.Make(c.dir, dir, func(_, out string) error {
		want := func(version string) bool { return isOfSeries(version, series) }
		if err := debs.DownloadSource(ctx, out, sourceName, want, log); err != nil {
			return err
		}
		return os.RemoveAll(dir) // an older one
	})
	if err != nil {
		return debs.Source{}, err
	}
	return c.source(series)
}

// isOfSeries says whether a package's version is one of a series: 4.17.5-1 and
// 4.17-1 are of 4.17, 4.1.2-1 is not.
func isOfSeries(version, series string) bool {
	if _, upstream, ok := strings.Cut(version, ":"); ok { // an epoch
		version = upstream
	}
	rest, ok := strings.CutPrefix(version, series)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], ".-+~"))
}
