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
	"strings"
)

// Apt is one configuration of apt: package sources, and what they offer.
type Apt struct {
	conf    string  // the file of settings beside the machine's, or ""
	sources []entry // where its packages are
}

// Available says whether this machine has the Debian tools this package runs.
func Available() error {
	for _, tool := range []string{"apt-get", "apt-cache", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return opError("look for the Debian package tools",
				fmt.Errorf("%w: the lab takes its ingredients from Debian's package sources by apt, run it on a Debian or Ubuntu machine", err))
		}
	}
	return nil
}

// Machine returns the configuration of this machine, with its package lists as
// they are, for programs that run here.
func Machine(ctx context.Context) (*Apt, error) {
	entries, err := machineEntries(ctx)
	return &Apt{sources: entries}, opError("read the machine's package sources", err)
}

// Show describes the candidate versions of the named packages. Names that are
// not offered are left out.
func (a *Apt) Show(ctx context.Context, names ...string) ([]Package, error) {
	if len(names) == 0 {
		return nil, nil
	}
	// apt-cache exits with 100 when it knows none of the names, which is an
	// answer here; whether it worked shows in what it printed.
	out, err := a.command(ctx, "", "apt-cache", append([]string{"show", "--no-all-versions"}, names...)...)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 100) {
		return nil, opError("show packages "+strings.Join(names, " "), err)
	}
	pkgs, err := parseStanzas(out)
	return pkgs, opError("read apt-cache show", err)
}

// Closure returns the seeds and what they depend on, as far as follow says.
// A seed that no source offers is [ErrNotOffered].
func (a *Apt) Closure(ctx context.Context, seeds []string, follow func(name string) bool) ([]Package, error) {
	look := func(names []string) ([]Package, error) { return a.Show(ctx, names...) }
	pkgs, err := closure(look, seeds, follow)
	return pkgs, opError("find dependencies", err)
}

// Download fetches the .deb files of exactly these packages and versions into
// dir, which must exist, and returns their paths. apt checks their hashes.
func (a *Apt) Download(ctx context.Context, dir string, pkgs []Package) ([]string, error) {
	args := []string{"-qq", "download"}
	for _, p := range pkgs {
		args = append(args, p.Name+"="+p.Version)
	}
	if _, err := a.command(ctx, dir, "apt-get", args...); err != nil {
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

// command runs one of apt's programs with this configuration.
func (a *Apt) command(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	if a.conf != "" {
		args = append([]string{"-c", a.conf}, args...)
	}
	return command(ctx, dir, name, args...)
}

// Update reads the machine's package lists anew. It needs root and returns
// [ErrNeedRoot] with the command to type when there is no way to it.
func Update(ctx context.Context, log io.Writer) error {
	return asRoot(ctx, log, "apt-get", "-qq", "update")
}

// Install installs what the lab runs on this machine itself, as root or through
// sudo without a password. Package lists that are missing or old are updated
// once. It returns [ErrNeedRoot] with the command to type when there is no way
// to root.
func Install(ctx context.Context, log io.Writer, names ...string) error {
	fmt.Fprintf(log, "installing %s\n", strings.Join(names, " "))
	args := append([]string{"install", "-qq", "-y", "--no-install-recommends"}, names...)
	err := asRoot(ctx, log, "apt-get", args...)
	if err == nil || errors.Is(err, ErrNeedRoot) {
		return err
	}
	if uerr := Update(ctx, log); uerr != nil {
		return errors.Join(err, uerr)
	}
	return asRoot(ctx, log, "apt-get", args...)
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
