// SPDX-License-Identifier: Apache-2.0

package vchan

import (
	"context"
	_ "embed" // for the source
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/vlibos/vlibos/lab/image"
)

//go:embed program/vchan.c
var source string

// development is the package of the headers and the static libraries.
const development = "libxen-dev"

// linked are the libraries that the program is linked with, in the linker's
// order.
var linked = []string{
	"-lxenvchan", "-lxengnttab", "-lxenevtchn", "-lxenstore", "-lxentoolcore", "-lxentoollog", "-lpthread", "-ldl",
}

// Build builds the program in dir and returns its path. The program is static,
// so that the guests need nothing else.
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
	cache, err := image.DefaultCache()
	if err != nil {
		return "", err
	}
	return cache.Unpacked(ctx, image.DefaultRelease, []string{development}, func(string) bool { return false }, io.Discard)
}
