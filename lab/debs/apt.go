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
	conf    string  // a file of settings in addition to the machine's, or ""
	sources []entry // the sources of its packages
}

// Available returns an error if this machine lacks the Debian tools of this package.
func Available() error {
	for _, tool := range []string{"apt-get", "apt-cache", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return opError("look for the Debian package tools",
				fmt.Errorf("%w: the lab downloads its ingredients with apt: run it on a Debian or Ubuntu machine", err))
		}
	}
	return nil
}

// Machine returns this machine's configuration with its current package lists, for
// programs that run here.
func Machine(ctx context.Context) (*Apt, error) {
	entries, err := machineEntries(ctx)
	return &Apt{sources: entries}, opError("read the machine's package sources", err)
}

// Show describes the candidate versions of the named packages. It leaves out names that
// are not offered.
func (a *Apt) Show(ctx context.Context, names ...string) ([]Package, error) {
	if len(names) == 0 {
		return nil, nil
	}
	// apt-cache exits with 100 if it knows none of the names, which is a valid answer.
	// Its output shows whether it worked.
	out, err := a.command(ctx, "", "apt-cache", append([]string{"show", "--no-all-versions"}, names...)...)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 100) {
		return nil, opError("show packages "+strings.Join(names, " "), err)
	}
	pkgs, err := parseStanzas(out)
	return pkgs, opError("read apt-cache show", err)
}

// Closure returns the seeds and those of their dependencies that follow selects. The
// error is [ErrNotOffered] for a seed that no source offers.
func (a *Apt) Closure(ctx context.Context, seeds []string, follow func(name string) bool) ([]Package, error) {
	look := func(names []string) ([]Package, error) { return a.Show(ctx, names...) }
	pkgs, err := closure(look, seeds, follow)
	return pkgs, opError("find dependencies", err)
}

// Download fetches the .deb files of exactly these packages and versions into dir, which
// must exist, and returns their paths. apt checks their hashes.
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
		return nil, opError("download packages", fmt.Errorf("want %d, found %d .deb files in %s", len(pkgs), len(files), dir))
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

// Update updates the machine's package lists. It needs root. If it cannot become root,
// the error is [ErrNeedRoot] with the command to type.
func Update(ctx context.Context, log io.Writer) error {
	return asRoot(ctx, log, "apt-get", "-qq", "update")
}

// Install installs packages on this machine, for the lab itself, as root or through sudo
// without a password. It updates package lists that are missing or old, once. If it
// cannot become root, the error is [ErrNeedRoot] with the command to type.
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

// tail returns the last lines of a failed program's output.
func tail(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) > 5 {
		lines = lines[len(lines)-5:]
	}
	return strings.Join(lines, "; ")
}
