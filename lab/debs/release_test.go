// SPDX-License-Identifier: Apache-2.0

package debs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// serve writes a file of an archive, and makes its folders.
func serve(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func serveSuite(t *testing.T, archive, suite, packages string) {
	t.Helper()
	dir := filepath.Join(archive, "dists", suite)
	serve(t, filepath.Join(dir, "main/binary-amd64/Packages"), packages)
	serve(t, filepath.Join(dir, "Release"), fmt.Sprintf("Suite: %[1]s\nCodename: %[1]s\nComponents: main\nArchitectures: amd64\nSHA256:\n %[2]x %[3]d main/binary-amd64/Packages\n",
		suite, sha256.Sum256([]byte(packages)), len(packages)))
}

func stanza(name, version string) string {
	return fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: x\nFilename: pool/%[1]s.deb\nSize: 1\nSHA256: %s\nDescription: x\n\n", name, version, strings.Repeat("0", 64))
}

// A machine of bookworm that prefers bookworm gets trixie's packages, the newest of the
// served suites, and is told which suites are not served.
func TestReleaseIsNotTheMachines(t *testing.T) {
	if err := Available(); err != nil {
		t.Skip(err)
	}
	dir, err := os.MkdirTemp("", "debs-") // apt's own user must have access
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "debian")
	serveSuite(t, archive, "bookworm", stanza("xen", "4.17"))
	serveSuite(t, archive, "trixie", stanza("xen", "4.20.0")+stanza("only", "1"))
	serveSuite(t, dir+"/debian-security", "trixie-security", stanza("xen", "4.20.1"))
	serve(t, dir+"/parts/machine.list", "deb [trusted=yes] file:"+archive+" bookworm main\n")
	serve(t, dir+"/machine.conf", fmt.Sprintf("Dir::Etc::sourcelist \"/dev/null\";\nDir::Etc::sourceparts \"%s/parts\";\nAPT::Default-Release \"bookworm\";\n", dir))
	t.Setenv("APT_CONFIG", dir+"/machine.conf")

	var log strings.Builder
	r, err := OpenRelease(t.Context(), dir+"/apt", "trixie", &log)
	if err != nil {
		t.Fatal(err)
	}
	all := func(string) bool { return true }
	if _, err := r.Closure(t.Context(), []string{"xen"}, all); !errors.Is(err, ErrNotOffered) {
		t.Errorf("without package lists: %v", err)
	}
	if err := r.Update(t.Context(), &log); err != nil {
		t.Fatal(err)
	}
	pkgs, err := r.Closure(t.Context(), []string{"xen", "only"}, all)
	if err != nil || len(pkgs) != 2 || pkgs[0].Version != "1" || pkgs[1].Version != "4.20.1" {
		t.Errorf("%+v, %v", pkgs, err)
	}
	if !strings.Contains(log.String(), "file:"+archive+" does not serve trixie-updates") || strings.Contains(log.String(), "does not serve trixie-security") {
		t.Errorf("said:\n%s", &log)
	}
	// Old lists are not taken for those of a missing archive.
	if err := os.RemoveAll(archive + "/dists/trixie"); err != nil {
		t.Fatal(err)
	}
	if err := r.Update(t.Context(), &log); err == nil || !strings.Contains(err.Error(), "trixie from file:") {
		t.Errorf("an archive without the release: %v", err)
	}
}
