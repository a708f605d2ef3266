// SPDX-License-Identifier: Apache-2.0

package debs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// sourceLists is an apt of its own beside the machine's: the machine's package
// sources with their binary packages left out and their source packages in.
type sourceLists struct {
	dir, conf string
}

// newSourceLists makes one in a temporary folder, which [sourceLists.remove]
// removes.
func newSourceLists(ctx context.Context) (_ *sourceLists, err error) {
	entries, err := sourceEntries(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "vlibos-apt-")
	if err != nil {
		return nil, err
	}
	s := &sourceLists{dir: dir, conf: filepath.Join(dir, "apt.conf")}
	defer func() {
		if err != nil {
			s.remove()
		}
	}()
	// apt fetches as its own user, who must get through to its lists.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	for _, sub := range []string{"parts", "lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	for i, file := range entries {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("%03d-%s", i, filepath.Base(file))
		if err := os.WriteFile(filepath.Join(dir, "parts", name), []byte(asSources(name, string(text))), 0o644); err != nil {
			return nil, err
		}
	}
	// The machine's hooks on an update are about the machine's lists.
	conf := fmt.Sprintf(`Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "%[1]s/parts";
Dir::State::lists "%[1]s/lists";
Dir::Cache "%[1]s/cache";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
`, dir)
	return s, os.WriteFile(s.conf, []byte(conf), 0o644)
}

func (s *sourceLists) remove() { os.RemoveAll(s.dir) }

func (s *sourceLists) update(ctx context.Context) error {
	_, err := command(ctx, "", "apt-get", "-c", s.conf, "-qq", "update")
	return err
}

// versions returns the offered versions of a source package, the newest first.
func (s *sourceLists) versions(ctx context.Context, name string) ([]string, error) {
	// apt-cache exits with 100 when it does not know the name.
	out, err := command(ctx, "", "apt-cache", "-c", s.conf, "showsrc", "--only-source", name)
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

// sourceEntries returns the files that the machine's package sources are
// written in.
func sourceEntries(ctx context.Context) ([]string, error) {
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
			if _, err := os.Stat(value); err == nil {
				files = append(files, value)
			} else if !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
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
	if len(files) == 0 {
		return nil, fmt.Errorf("apt has no package sources: %w", ErrNotOffered)
	}
	return files, nil
}

// asSources turns a file of package sources, in the format that its name says
// (sources.list(5)), into the same sources' source code. All else stays, above
// all which keys they are signed with.
func asSources(name, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasSuffix(name, ".sources") {
			if field, _, ok := strings.Cut(line, ":"); ok && strings.EqualFold(field, "Types") {
				line = field + ": deb-src\n"
			}
		} else if fields := strings.Fields(line); len(fields) > 0 && fields[0] == "deb" {
			line = strings.Replace(line, "deb", "deb-src", 1)
		}
		b.WriteString(line)
	}
	return b.String()
}
