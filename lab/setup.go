// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/vlibos/vlibos/lab/debs"
	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/qemu"
)

// Setup prepares this machine: it installs QEMU, and xz and zstd to unpack
// kernels with, if they are missing, which needs root or sudo without a
// password, and makes the base images if there are none.
// On a prepared machine it is a matter of milliseconds and needs no network.
// With refresh it looks for newer packages first. It says what it does on log.
func Setup(ctx context.Context, refresh bool, log io.Writer) (*image.Base, error) {
	base, err := setup(ctx, refresh, log)
	if err != nil && ctx.Err() != nil {
		// What the killed programs said is not what happened.
		return nil, ended(ctx)
	}
	return base, err
}

// tool is a program that the lab runs on this machine, and its package.
type tool struct{ program, pkg string }

var (
	runTools   = []tool{{qemu.Program, "qemu-system-x86"}}
	buildTools = []tool{{"xz", "xz-utils"}, {"zstd", "zstd"}}
	// compileTools build a hypervisor. build-essential has the C library's
	// headers with the compiler, for the programs that Xen's build runs.
	compileTools = []tool{
		{"gcc", "build-essential"}, {"make", "make"}, {"dpkg-source", "dpkg-dev"},
		{"flex", "flex"}, {"bison", "bison"}, {"python3", "python3-minimal"},
	}
	// policyTools are for Flask's policy.
	policyTools = []tool{{"checkpolicy", "checkpolicy"}, {"m4", "m4"}}
)

func setup(ctx context.Context, refresh bool, log io.Writer) (*image.Base, error) {
	cache, err := image.DefaultCache()
	if err != nil {
		return nil, err
	}
	tools := runTools
	if _, err := cache.Current(); refresh || err != nil {
		tools = append(tools[:len(tools):len(tools)], buildTools...)
	}
	if err := install(ctx, missing(tools), log); err != nil {
		return nil, err
	}
	return cache.Prepare(ctx, refresh, log)
}

// missing returns the packages of those tools that this machine does not have.
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
	fmt.Fprintf(log, "installing %s\n", strings.Join(pkgs, " "))
	err := debs.Install(ctx, log, pkgs...)
	if err == nil || errors.Is(err, debs.ErrNeedRoot) {
		return err
	}
	// Package lists may be missing or old: that is worth one update.
	if uerr := debs.Update(ctx, log); uerr != nil {
		return errors.Join(err, uerr)
	}
	return debs.Install(ctx, log, pkgs...)
}
