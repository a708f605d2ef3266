// SPDX-License-Identifier: Apache-2.0

package debs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Available says whether this machine has the Debian tools this package runs.
func Available() error {
	for _, tool := range []string{"apt-get", "apt-cache", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return opError("look for the Debian package tools",
				fmt.Errorf("%w: the lab takes its ingredients from Debian or Ubuntu package sources, run it on such a machine", err))
		}
	}
	return nil
}

// Names returns the names of all known packages that begin with prefix, sorted.
func Names(ctx context.Context, prefix string) ([]string, error) {
	out, err := command(ctx, "", "apt-cache", "pkgnames", prefix)
	if err != nil {
		return nil, opError("list packages "+prefix+"*", err)
	}
	names := strings.Fields(string(out))
	slices.Sort(names)
	return names, nil
}

// Show describes the candidate versions of the named packages. Names that are
// not offered are left out.
func Show(ctx context.Context, names ...string) ([]Package, error) {
	if len(names) == 0 {
		return nil, nil
	}
	// apt-cache exits with 100 when it knows none of the names, which is an
	// answer here; whether it worked shows in what it printed.
	out, err := command(ctx, "", "apt-cache", append([]string{"show", "--no-all-versions"}, names...)...)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 100) {
		return nil, opError("show packages "+strings.Join(names, " "), err)
	}
	pkgs, err := parseStanzas(out)
	return pkgs, opError("read apt-cache show", err)
}

// Closure returns the seeds and what they depend on, as far as follow says.
// A seed that no source offers is [ErrNotOffered].
func Closure(ctx context.Context, seeds []string, follow func(name string) bool) ([]Package, error) {
	look := func(names []string) ([]Package, error) { return Show(ctx, names...) }
	pkgs, err := closure(look, seeds, follow)
	return pkgs, opError("find dependencies", err)
}

// Update reads the machine's package lists anew. It needs root and returns
// [ErrNeedRoot] with the command to type when there is no way to it.
func Update(ctx context.Context, log io.Writer) error {
	return asRoot(ctx, log, "apt-get", "-qq", "update")
}

// Install installs tools that the lab runs on this machine itself, as root or
// through sudo without a password. It returns [ErrNeedRoot] with the command to
// type when there is no way to root.
func Install(ctx context.Context, log io.Writer, names ...string) error {
	return asRoot(ctx, log, "apt-get", append([]string{"install", "-qq", "-y", "--no-install-recommends"}, names...)...)
}

// Download fetches the .deb files of exactly these packages and versions into
// dir, which must exist, and returns their paths. apt checks their hashes.
func Download(ctx context.Context, dir string, pkgs []Package) ([]string, error) {
	args := []string{"-qq", "download"}
	for _, p := range pkgs {
		args = append(args, p.Name+"="+p.Version)
	}
	if _, err := command(ctx, dir, "apt-get", args...); err != nil {
		return nil, opError(fmt.Sprintf("download %d packages", len(pkgs)), err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return nil, err
	}
	if len(files) != len(pkgs) {
		return nil, opError("download packages", fmt.Errorf("asked for %d, found %d .deb files in %s", len(pkgs), len(files), dir))
	}
	return files, nil
}

// Unpack unpacks the files of a .deb under dir. It runs none of its scripts.
func Unpack(ctx context.Context, deb, dir string) error {
	_, err := command(ctx, "", "dpkg-deb", "-x", deb, dir)
	return opError("unpack "+filepath.Base(deb), err)
}

func asRoot(ctx context.Context, log io.Writer, name string, args ...string) error {
	line := "sudo " + name + " " + strings.Join(args, " ")
	if os.Geteuid() != 0 {
		if exec.CommandContext(ctx, "sudo", "-n", "true").Run() != nil {
			return opError(name, fmt.Errorf("%w: type this once: %s", ErrNeedRoot, line))
		}
		args = append([]string{"-n", "env", "DEBIAN_FRONTEND=noninteractive", name}, args...)
		name = "sudo"
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	cmd.Stdout = log
	var errOut bytes.Buffer
	cmd.Stderr = io.MultiWriter(log, &errOut)
	if err := cmd.Run(); err != nil {
		return opError(line, fmt.Errorf("%w: %s", err, tail(errOut.Bytes())))
	}
	return nil
}

func command(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s: %w: %s", name, err, tail(errOut.Bytes()))
	}
	return out.Bytes(), nil
}

// tail shortens what a failed program said to its last lines.
func tail(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) > 5 {
		lines = lines[len(lines)-5:]
	}
	return strings.Join(lines, "; ")
}
