// SPDX-License-Identifier: Apache-2.0

package debs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vlibos/vlibos/internal/atomicfile"
	"github.com/vlibos/vlibos/lab/cachedir"
)

// Release is the configuration of a release of Debian, which may differ from the
// machine's. Its package lists are in a folder of their own, so that it needs no root and
// does not change the machine's. The archive, the keys, the proxy and the credentials are
// the machine's.
type Release struct {
	Apt
	// Name is the release's, for example "bookworm".
	Name string

	dir  string
	main entry
	more []entry // may not be served
}

// OpenRelease returns the configuration of a release, with its package lists in dir. On a
// machine without a package source of Debian it installs Debian's keys, if they are
// missing, as [Install] does. Otherwise it uses no network. It reports what it does on
// log.
func OpenRelease(ctx context.Context, dir, name string, log io.Writer) (*Release, error) {
	op := "use the packages of " + name
	machine, err := machineEntries(ctx)
	if err != nil && !errors.Is(err, ErrNotOffered) {
		return nil, opError(op, err)
	}
	own, err := debianRelease()
	if err != nil {
		return nil, opError(op, err)
	}
	r := &Release{Name: name, dir: dir}
	var public bool
	r.main, r.more, public = releaseEntries(machine, own, name)
	r.sources = append([]entry{r.main}, r.more...)
	if _, err := os.Stat(keyring); public && err != nil {
		if err := Install(ctx, log, keyringPackage); err != nil {
			return nil, opError(op, err)
		}
	}
	r.conf, err = configure(dir, "deb", r.sources)
	return r, opError(op, err)
}

// Update updates the release's package lists. It reports on log which of the release's
// updates the archive does not serve.
func (r *Release) Update(ctx context.Context, log io.Writer) error {
	unlock, err := cachedir.Lock(ctx, filepath.Join(r.dir, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	fmt.Fprintf(log, "updating the package lists of %s\n", r.Name)
	if err := r.update(ctx, 0); err != nil {
		return opError(fmt.Sprintf("update the package lists of %s from %s", r.Name, r.main.uri), err)
	}
	for i, e := range r.more {
		if err := r.update(ctx, i+1); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			fmt.Fprintf(log, "%[2]s does not serve %[1]s: its updates are left out (%[3]v)\n", e.suites[0], e.uri, err)
		}
	}
	return nil
}

// update updates the lists of one of the sources.
func (r *Release) update(ctx context.Context, i int) error {
	_, err := r.command(ctx, "", "apt-get", "-qq", "update", "-o", "Dir::Etc::sourceparts=/dev/null",
		"-o", "Dir::Etc::sourcelist="+partName(r.dir, i), "-o", "APT::Get::List-Cleanup=false")
	return err
}

// configure makes in dir a configuration of apt with these package sources for one kind of
// packages, and returns its file of settings. It excludes the machine's preferences,
// installed packages and hooks. Files in dir stay.
func configure(dir, kind string, sources []entry) (string, error) {
	for _, sub := range []string{"parts", "preferences", "lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return "", err
		}
	}
	conf := filepath.Join(dir, "apt.conf")
	files := map[string]string{
		filepath.Join(dir, "status"): "",
		conf: fmt.Sprintf(`Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "%[1]s/parts";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "%[1]s/preferences";
Dir::State::lists "%[1]s/lists";
Dir::State::status "%[1]s/status";
Dir::Cache "%[1]s/cache";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
APT::Default-Release "";
APT::Architecture "amd64";
#clear APT::Architectures;
APT::Architectures:: "amd64";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
`, dir),
	}
	for i, e := range sources {
		files[partName(dir, i)] = e.text(kind)
	}
	for name, text := range files {
		if old, err := os.ReadFile(name); err == nil && string(old) == text {
			continue
		}
		if err := atomicfile.Write(name, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	return conf, nil
}

func partName(dir string, i int) string {
	return filepath.Join(dir, "parts", fmt.Sprintf("%03d.sources", i))
}

// machineEntries returns the package sources of this machine. The error is
// [ErrNotOffered] if there are none.
func machineEntries(ctx context.Context) ([]entry, error) {
	out, err := command(ctx, "", "apt-config", "shell", "list", "Dir::Etc::sourcelist/f", "parts", "Dir::Etc::sourceparts/d")
	if err != nil {
		return nil, err
	}
	var files []string
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, "'")
		switch key {
		case "list":
			files = append(files, value)
		case "parts":
			for _, pattern := range []string{"*.list", "*.sources"} {
				found, err := filepath.Glob(filepath.Join(value, pattern))
				if err != nil {
					return nil, err
				}
				files = append(files, found...)
			}
		}
	}
	var entries []entry
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, parseEntries(file, string(text))...)
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("apt has no package sources: %w", ErrNotOffered)
	}
	return entries, nil
}

// debianRelease returns the name of this machine's release of Debian, or "" if it is not a
// Debian.
func debianRelease() (string, error) {
	f, err := os.Open("/etc/os-release")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	values := make(map[string]string)
	for s := bufio.NewScanner(f); s.Scan(); {
		key, value, _ := strings.Cut(s.Text(), "=")
		values[key] = strings.Trim(value, `"'`)
	}
	if values["ID"] != "debian" {
		return "", nil
	}
	return values["VERSION_CODENAME"], nil
}
