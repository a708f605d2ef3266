// SPDX-License-Identifier: Apache-2.0

package membus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vlibos/vlibos/lab/cachedir"
	"github.com/vlibos/vlibos/lab/debs"
)

// The path of QEMU's plugin interface in its source, and the name of our copy.
const (
	headerName = "qemu-plugin.h"
	headerPath = "include/qemu/" + headerName
)

// header returns the folder with the header of the QEMU that a package installed. The
// caller has the lock.
func (c *Cache) header(ctx context.Context, pkg string, log io.Writer) (string, error) {
	name, version, err := debs.InstalledSource(ctx, pkg)
	if err != nil {
		return "", fmt.Errorf("the contended mode compiles a plugin for the distribution's QEMU: %w", err)
	}
	upstream := UpstreamVersion(version)
	dir := filepath.Join(c.dir, "header", strings.ReplaceAll(upstream, ":", "_"))
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	fmt.Fprintf(log, "downloading the source of QEMU %s from the machine's package sources, for its plugin header\n", version)
	return dir, cachedir.Make(c.dir, dir, func(tmp, out string) error { return fetchHeader(ctx, name, upstream, tmp, out, log) })
}

// fetchHeader copies the header of a version of a source package to out.
func fetchHeader(ctx context.Context, name, upstream, tmp, out string, log io.Writer) error {
	tree, err := FetchSource(ctx, name, upstream, tmp, log)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(tree, headerPath))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, headerName), data, 0o644)
}

// FetchSource downloads an upstream version of a source package into the folder tmp, and
// returns the folder where it is unpacked. The distribution's revisions change no interface,
// and not every installed revision is still offered, so any will do.
func FetchSource(ctx context.Context, name, upstream, tmp string, log io.Writer) (tree string, err error) {
	files, tree := filepath.Join(tmp, "files"), filepath.Join(tmp, "tree")
	if err := os.Mkdir(files, 0o755); err != nil {
		return "", err
	}
	apt, err := debs.Machine(ctx)
	if err != nil {
		return "", err
	}
	want := func(v string) bool { return UpstreamVersion(v) == upstream }
	if err := apt.DownloadSource(ctx, files, name, want, log); err != nil {
		return "", err
	}
	src, err := debs.OpenSource(name, files)
	if err != nil {
		return "", err
	}
	return tree, debs.UnpackSource(ctx, src, tree)
}

// UpstreamVersion returns a package's version without the distribution's revision:
// 1:7.2+dfsg of 1:7.2+dfsg-7+deb12u18.
func UpstreamVersion(version string) string {
	if i := strings.LastIndexByte(version, '-'); i >= 0 {
		return version[:i]
	}
	return version
}
