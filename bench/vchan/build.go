// SPDX-License-Identifier: Apache-2.0

package vchan

import (
	"context"
	_ "embed" // for the source
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/vlibos/vlibos/lab/debs"
	"github.com/vlibos/vlibos/lab/image"
)

//go:embed program/vchan.c
var source string

// development is the package with the headers and the static libraries.
const development = "libxen-dev"

// linked are the libraries that the program is made of, in the linker's
// order.
var linked = []string{
	"-lxenvchan", "-lxengnttab", "-lxenevtchn", "-lxenstore", "-lxentoolcore", "-lxentoollog", "-lpthread", "-ldl",
}

// Build makes the program in dir and returns its path. It is static: nothing
// else need be in the guests.
func Build(ctx context.Context, dir string) (string, error) {
	root, err := unpacked(ctx)
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "vchan")
	args := []string{
		"-x", "c", "-O2", "-Wall", "-static", "-o", program, "-",
		"-I", filepath.Join(root, "usr/include"), "-L", filepath.Join(root, "usr/lib/x86_64-linux-gnu"),
	}
	cmd := exec.CommandContext(ctx, "gcc", append(args, linked...)...)
	cmd.Stdin = strings.NewReader(source)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the libxenvchan program with gcc: %w: %s", err, out)
	}
	return program, nil
}

// unpacked returns the folder with the development package's files.
func unpacked(ctx context.Context) (string, error) {
	if err := debs.Available(); err != nil {
		return "", err
	}
	cache, err := image.DefaultCache()
	if err != nil {
		return "", err
	}
	pkgs, err := debs.Show(ctx, development)
	if err == nil && len(pkgs) == 0 {
		err = fmt.Errorf("package %s: %w", development, debs.ErrNotOffered)
	}
	if err != nil {
		return "", err
	}
	root := filepath.Join(cache.Dir, development+"-"+pkgs[0].SHA256[:min(16, len(pkgs[0].SHA256))])
	if _, err := os.Stat(root); !errors.Is(err, fs.ErrNotExist) {
		return root, err
	}
	// Unpacked aside and renamed: what is there is complete.
	tmp, err := os.MkdirTemp(cache.Dir, "tmp-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	files, err := debs.Download(ctx, tmp, pkgs[:1])
	if err != nil {
		return "", err
	}
	aside := filepath.Join(tmp, "root")
	if err := os.Mkdir(aside, 0o755); err != nil {
		return "", err
	}
	if err := debs.Unpack(ctx, files[0], aside); err != nil {
		return "", err
	}
	if err := os.Rename(aside, root); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return root, nil
}
