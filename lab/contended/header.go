// SPDX-License-Identifier: Apache-2.0

package contended

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vlibos/vlibos/lab/debs"
)

// Where QEMU's plugin interface is in its source, and what we keep it as.
const (
	headerName = "qemu-plugin.h"
	headerPath = "include/qemu/" + headerName
)

// header returns the folder with the header of the QEMU that a package
// installed. The lock is held.
func (c *Cache) header(ctx context.Context, pkg string, log io.Writer) (string, error) {
	name, version, err := debs.InstalledSource(ctx, pkg)
	if err != nil {
		return "", fmt.Errorf("the contended mode compiles a plugin for the distribution's QEMU: %w", err)
	}
	upstream := upstreamVersion(version)
	dir := filepath.Join(c.dir, "header", strings.ReplaceAll(upstream, ":", "_"))
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	fmt.Fprintf(log, "downloading the source of QEMU %s from the machine's package sources, for its plugin header\n", version)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(c.dir, "tmp-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	files, tree, out := filepath.Join(tmp, "files"), filepath.Join(tmp, "tree"), filepath.Join(tmp, "out")
	for _, d := range []string{files, out} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return "", err
		}
	}
	// A distribution's own revisions leave the interface as it is, and not all
	// that were ever installed are still offered.
	want := func(v string) bool { return upstreamVersion(v) == upstream }
	if err := debs.DownloadSource(ctx, files, name, want, log); err != nil {
		return "", err
	}
	src, err := debs.OpenSource(name, files)
	if err != nil {
		return "", err
	}
	if err := debs.UnpackSource(ctx, src, tree); err != nil {
		return "", err
	}
	data, err := os.ReadFile(filepath.Join(tree, headerPath))
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(out, headerName), data, 0o644); err != nil {
		return "", err
	}
	return dir, os.Rename(out, dir)
}

// upstreamVersion is a package's version without the distribution's revision:
// 1:7.2+dfsg of 1:7.2+dfsg-7+deb12u18.
func upstreamVersion(version string) string {
	if i := strings.LastIndexByte(version, '-'); i >= 0 {
		return version[:i]
	}
	return version
}
