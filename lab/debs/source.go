// SPDX-License-Identifier: Apache-2.0

package debs

import (
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

// Source is a source package on this machine.
type Source struct {
	Name, Version string
	// Control is the path of its .dsc file. The files that it names are beside it.
	Control string
}

// OpenSource returns the source package in dir.
func OpenSource(name, dir string) (Source, error) {
	found, err := filepath.Glob(filepath.Join(dir, name+"_*.dsc"))
	if err != nil {
		return Source{}, err
	}
	if len(found) != 1 {
		return Source{}, opError("open source package "+name, fmt.Errorf("%s contains %d .dsc files, want one: remove the folder", dir, len(found)))
	}
	data, err := os.ReadFile(found[0])
	if err != nil {
		return Source{}, opError("open source package "+name, err)
	}
	for line := range strings.Lines(string(data)) {
		if version, ok := strings.CutPrefix(line, "Version:"); ok {
			return Source{Name: name, Version: strings.TrimSpace(version), Control: found[0]}, nil
		}
	}
	return Source{}, opError("open source package "+name, fmt.Errorf("%s has no Version field", found[0]))
}

// DownloadSource downloads into dir, which must exist and be empty, the newest version of a
// source package that want accepts and that is available: an archive may list versions
// whose files it no longer has. apt checks the files' hashes. It reports on log which
// versions it skips. The error is [ErrNotOffered] if there is no such version.
//
// It asks the package sources of this configuration for source code. Their answers are
// stored apart from the package lists, so it needs no root.
func (a *Apt) DownloadSource(ctx context.Context, dir, name string, want func(version string) bool, log io.Writer) error {
	op := "download source package " + name
	tmp, err := os.MkdirTemp("", "vlibos-apt-")
	if err != nil {
		return opError(op, err)
	}
	defer os.RemoveAll(tmp)
	// apt downloads as a user of its own, which must have access to its lists.
	if err := os.Chmod(tmp, 0o755); err != nil {
		return opError(op, err)
	}
	conf, err := configure(tmp, "deb-src", a.sources)
	if err != nil {
		return opError(op, err)
	}
	sources := &Apt{conf: conf}
	// A package source without source code makes the update fail. The lists of the others
	// exist all the same.
	_, updateErr := sources.command(ctx, "", "apt-get", "-qq", "update")
	versions, err := sources.sourceVersions(ctx, name)
	if err != nil {
		return opError(op, errors.Join(err, updateErr))
	}
	versions = slices.DeleteFunc(versions, func(v string) bool { return !want(v) })
	if len(versions) == 0 {
		return opError(op, errors.Join(ErrNotOffered, updateErr))
	}
	var failed []error
	for _, v := range versions {
		_, err := sources.command(ctx, dir, "apt-get", "-qq", "source", "--download-only", name+"="+v)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return opError(op, ctx.Err())
		}
		fmt.Fprintf(log, "source package %s %s is not available\n", name, v)
		failed = append(failed, fmt.Errorf("version %s: %w", v, err))
	}
	return opError(op, errors.Join(failed...))
}

// sourceVersions returns the offered versions of a source package, the newest first.
func (a *Apt) sourceVersions(ctx context.Context, name string) ([]string, error) {
	// apt-cache exits with 100 if it does not know the name.
	out, err := a.command(ctx, "", "apt-cache", "showsrc", "--only-source", name)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 100) {
		return nil, err
	}
	pkgs, err := parseStanzas(out)
	if err != nil {
		return nil, err
	}
	var versions []string
	for _, p := range pkgs {
		if p.Name == name {
			versions = append(versions, p.Version)
		}
	}
	return newestFirst(ctx, versions), nil
}

// UnpackSource unpacks a source package into dir, which must not exist, and applies the
// distribution's patches: the result is the source of its binary packages. It runs nothing
// of the package.
func UnpackSource(ctx context.Context, s Source, dir string) error {
	_, err := command(ctx, "", "dpkg-source", "--no-copy", "-q", "-x", s.Control, dir)
	return opError("unpack source package "+s.Name, err)
}

// InstalledSource returns the name and version of the source package of an installed
// package. The error is [ErrNotOffered] if dpkg has not installed it.
func InstalledSource(ctx context.Context, pkg string) (name, version string, err error) {
	op := "look up the source of package " + pkg
	out, err := command(ctx, "", "dpkg-query", "--show", "--showformat", "${db:Status-Status} ${source:Package} ${source:Version}", pkg)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return "", "", opError(op, err)
	}
	fields := strings.Fields(string(out))
	if err != nil || len(fields) != 3 || fields[0] != "installed" {
		return "", "", opError(op, ErrNotOffered)
	}
	return fields[1], fields[2], nil
}

// Older reports whether dpkg considers the first version older than the second.
func Older(ctx context.Context, version, than string) bool {
	return exec.CommandContext(ctx, "dpkg", "--compare-versions", version, "lt", than).Run() == nil
}

// newestFirst sorts versions as dpkg compares them, and drops duplicates.
func newestFirst(ctx context.Context, versions []string) []string {
	slices.SortFunc(versions, func(a, b string) int {
		switch {
		case a == b:
			return 0
		case Older(ctx, b, a):
			return -1
		}
		return 1
	})
	return slices.Compact(versions)
}
