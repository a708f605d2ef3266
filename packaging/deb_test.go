// SPDX-License-Identifier: Apache-2.0

//go:build packages

package packaging

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Two builds of one commit give the same packages.
func TestPackagesAreReproducible(t *testing.T) {
	files, err := filepath.Glob(built + "/vlibos*")
	if err != nil || len(files) != 5 {
		t.Fatalf("%q, %v: want three debs and two rpms", files, err)
	}
	for _, f := range files {
		a, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(again, filepath.Base(f)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs from that of the second build", filepath.Base(f))
		}
	}
}

// The contact is the packager's, and lintian finds no errors.
func TestDebsFollowDebiansPolicy(t *testing.T) {
	for _, deb := range []string{masterDeb, guestDeb, hypervisorDeb} {
		file := bring(t, built, deb)
		has(t, do(t, "dpkg-deb", "-f", file, "Maintainer"), maintainer)
		do(t, "lintian", "--allow-root", "--fail-on", "error", "--tag-display-limit", "0", file)
	}
}

// Each module that is linked into a program is named with its licence.
func TestCopyrightNamesWhatIsLinked(t *testing.T) {
	install(t, masterDeb, guestDeb)
	for name, module := range map[string]string{"vlibos": "github.com/BurntSushi/toml", "vlibos-guest": "github.com/ebitengine/purego"} {
		text := do(t, "cat", "/usr/share/doc/"+name+"/copyright")
		has(t, text, "Files: *\n", "Files: go/*\n", "Files: "+module+"/*\n", "License: BSD-3-Clause\n", "License: Expat\n", "License: Apache-2.0\n")
		has(t, do(t, "zcat", "/usr/share/doc/"+name+"/changelog.Debian.gz"), name+" (", " -- "+maintainer)
	}
}

const masterDeb, guestDeb, hypervisorDeb = "vlibos_*.deb", "vlibos-guest_*.deb", "vlibos-hypervisor_*.deb"

// Dom0's package is installed, used, upgraded, removed and purged.
func TestDebLeavesNothingAfterAPurge(t *testing.T) {
	booted(t)
	before := snapshot(t)
	out := install(t, masterDeb)
	has(t, out, ignored("daemon-reload"))
	lacks(t, out, "'try-restart", "'start", "'stop")

	version := strings.TrimSpace(do(t, "dpkg-query", "-W", "-f", "${Version}", "vlibos"))
	version = strings.TrimSuffix(version, "-1")
	has(t, do(t, "vlibmaster", "version"), "vlibmaster "+version+" (")
	has(t, do(t, "vlibmaster", "--help"), "serve", "EXIT CODES")
	has(t, do(t, "vlibmaster", "--host", "native", "doctor"), "host native")
	fails(t, 16, "vlibmaster", "ps")
	fails(t, 1, "systemctl", "is-enabled", "vlibmaster.service")

	// An operator's changes stay.
	const config, text = "/etc/vlibos/vlibmaster.toml", "host = \"native\"\n"
	if err := os.WriteFile(root+config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	do(t, "systemctl", "enable", "vlibmaster.service")
	out = do(t, "dpkg", "-i", "--force-confdef", bring(t, next, masterDeb))
	has(t, out, ignored("daemon-reload"), refused("try-restart", "vlibmaster"))
	lacks(t, out, "'stop", "Removed")
	has(t, do(t, "vlibmaster", "version"), "vlibmaster "+version+"+next (")
	if got, err := os.ReadFile(root + config); err != nil || string(got) != text {
		t.Errorf("%s after the upgrade: %q, %v", config, got, err)
	}
	has(t, do(t, "systemctl", "is-enabled", "vlibmaster.service"), "enabled")

	// The master's files in /run are removed with it, other programs' sockets are not.
	if err := os.MkdirAll(root+"/run/vlibos/native/x", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/run/vlibos/state.json", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	has(t, do(t, "dpkg", "-r", "vlibos"), refused("stop", "vlibmaster"))
	if _, err := os.Stat(root + config); err != nil {
		t.Errorf("removal without purge: %v", err)
	}
	if _, err := os.Stat(root + "/run/vlibos/native/x"); err != nil {
		t.Errorf("removal: %v", err)
	}
	if err := os.RemoveAll(root + "/run/vlibos/native"); err != nil {
		t.Fatal(err)
	}
	do(t, "dpkg", "--purge", "vlibos")
	unchanged(t, before)
}

// The guest's package is installed, used, upgraded, removed and purged. The installed
// server and its worker call a library of the root.
func TestGuestDebLeavesNothingAfterAPurge(t *testing.T) {
	before := snapshot(t)
	install(t, guestDeb, masterDeb)
	server := background(t, " serves port ", nil, "vlib-server", "--transport", "native", "--name", "here")
	has(t, do(t, "vlibmaster", "--host", "native", "call", "here", "libm.so.6", "cos", "--sig", "f64(f64)", "0.5"), "0.8775825618903728")

	const config, text = "/etc/default/vlib-server", "VLIB_SERVER_FLAGS=--port 2\n"
	if err := os.WriteFile(root+config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	do(t, "dpkg", "-i", "--force-confdef", bring(t, next, guestDeb))
	if got, err := os.ReadFile(root + config); err != nil || string(got) != text {
		t.Errorf("%s after the upgrade: %q, %v", config, got, err)
	}
	server.stop(t)
	do(t, "dpkg", "--purge", "vlibos-guest", "vlibos")
	if err := os.RemoveAll(root + "/run/vlibos"); err != nil { // the server's, which this test started itself
		t.Fatal(err)
	}
	unchanged(t, before)
}
