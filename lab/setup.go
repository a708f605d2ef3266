// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"

	"github.com/vlibos/vlibos/lab/debs"
	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/qemu"
)

// Setup prepares this machine for a release of Debian, "" for the default. It installs
// QEMU, and xz and zstd to unpack kernels, if they are missing; that needs root, or sudo
// without a password. It makes the base images if there are none. The release of the
// machine itself does not matter. On a prepared machine it takes milliseconds and needs
// no network. With refresh it looks for newer packages first. It reports what it does on
// log.
func Setup(ctx context.Context, release string, refresh bool, log io.Writer) (*image.Base, error) {
	release, err := releaseName(release)
	if err != nil {
		return nil, err
	}
	base, err := setup(ctx, release, refresh, log)
	if err != nil && ctx.Err() != nil {
		// Messages of killed programs are not the cause.
		return nil, ended(ctx)
	}
	return base, err
}

// releaseName returns name, or the default, or an error that names the releases.
func releaseName(name string) (string, error) {
	if name == "" {
		return image.DefaultRelease, nil
	}
	if all := image.Releases(); !slices.Contains(all, name) {
		return "", fmt.Errorf("release %q: want %s", name, strings.Join(all, " or "))
	}
	return name, nil
}

// tool is a program that the lab runs on this machine, and its package.
type tool struct{ program, pkg string }

var (
	runTools   = []tool{{qemu.Program, "qemu-system-x86"}}
	buildTools = []tool{{"xz", "xz-utils"}, {"zstd", "zstd"}}
	// compileTools build a hypervisor. build-essential includes the C library's headers,
	// for the programs that Xen's build runs.
	compileTools = []tool{
		{"gcc", "build-essential"}, {"make", "make"}, {"dpkg-source", "dpkg-dev"},
		{"flex", "flex"}, {"bison", "bison"}, {"python3", "python3-minimal"},
	}
	// policyTools compile Flask's policy.
	policyTools = []tool{{"checkpolicy", "checkpolicy"}, {"m4", "m4"}}
)

func setup(ctx context.Context, release string, refresh bool, log io.Writer) (*image.Base, error) {
	cache, err := image.DefaultCache()
	if err != nil {
		return nil, err
	}
	tools := runTools
	if _, err := cache.Current(release); refresh || err != nil {
		tools = append(tools[:len(tools):len(tools)], buildTools...)
	}
	if err := install(ctx, missing(tools), log); err != nil {
		return nil, err
	}
	return cache.Prepare(ctx, release, refresh, log)
}

// missing returns the packages of those tools that this machine lacks.
func missing(tools []tool) []string {
	var pkgs []string
	for _, t := range tools {
		if _, err := exec.LookPath(t.program); err != nil {
			pkgs = append(pkgs, t.pkg)
		}
	}
	return pkgs
}

func install(ctx context.Context, pkgs []string, log io.Writer) error {
	if len(pkgs) == 0 {
		return nil
	}
	if err := debs.Available(); err != nil {
		return err
	}
	return debs.Install(ctx, log, pkgs...)
}
