// SPDX-License-Identifier: Apache-2.0

//go:build packages

package packaging

import (
	"os"
	"strings"
	"testing"
)

const masterRPM, guestRPM = "vlibos-[0-9]*.x86_64.rpm", "vlibos-guest-*.x86_64.rpm"

// The rpms have the files of the debs, except for what only Debian wants.
func TestRPMHasWhatTheDebHas(t *testing.T) {
	for rpm, deb := range map[string]string{masterRPM: masterDeb, guestRPM: guestDeb} {
		var want []string
		for line := range strings.Lines(do(t, "dpkg-deb", "--contents", bring(t, built, deb))) {
			if f := strings.Fields(line); strings.HasPrefix(f[0], "-") && !strings.Contains(line, "/lintian/") && !strings.Contains(line, "/changelog.Debian.gz") {
				want = append(want, strings.TrimPrefix(f[len(f)-1], "."))
			}
		}
		file := bring(t, built, rpm)
		files := "\n" + do(t, "rpm", "-qlp", file)
		if len(want) < 5 {
			t.Fatalf("%s has only %q", deb, want)
		}
		for _, f := range want {
			has(t, files, "\n"+f+"\n")
		}
		has(t, do(t, "rpm", "-qp", "--scripts", file), "postinstall scriptlet", "preuninstall scriptlet", "postuninstall scriptlet", "systemctl try-restart")
		has(t, do(t, "rpm", "-qp", "--configfiles", file), "/etc/")
		if err := os.MkdirAll(root+"/tmp/empty", 0o755); err != nil {
			t.Fatal(err)
		}
		do(t, "rpm", "--root", "/tmp/empty", "--initdb")
		do(t, "rpm", "--root", "/tmp/empty", "-i", "--test", "--nodeps", file)
		if err := os.RemoveAll(root + "/tmp/empty"); err != nil {
			t.Fatal(err)
		}
	}
}

// Dom0's package is installed, upgraded and removed with rpm's arguments of scripts, which
// are numbers instead of dpkg's words.
func TestRPMLeavesOnlyChangedConfiguration(t *testing.T) {
	booted(t)
	before := snapshot(t)
	out := do(t, "rpm", "-i", "--nodeps", bring(t, built, masterRPM))
	t.Cleanup(func() { inside("rpm", "-e", "vlibos").Run() })
	has(t, out, ignored("daemon-reload"))
	lacks(t, out, ignored("try-restart"), ignored("start"), ignored("stop"))
	has(t, do(t, "vlibmaster", "--help"), "EXIT CODES")

	const config, text = "/etc/vlibos/vlibmaster.toml", "host = \"native\"\n"
	if err := os.WriteFile(root+config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	do(t, "systemctl", "enable", "vlibmaster.service")
	out = do(t, "rpm", "-U", "--nodeps", bring(t, next, masterRPM))
	has(t, out, ignored("try-restart"))
	lacks(t, out, ignored("stop"), "Removed")
	has(t, do(t, "vlibmaster", "version"), "+next (")
	if got, err := os.ReadFile(root + config); err != nil || string(got) != text {
		t.Errorf("%s after the upgrade: %q, %v", config, got, err)
	}
	has(t, do(t, "systemctl", "is-enabled", "vlibmaster.service"), "enabled")

	has(t, do(t, "rpm", "-e", "vlibos"), ignored("stop"), config+".rpmsave")
	// rpm has no purge: it saves a changed file under another name.
	if err := os.RemoveAll(root + "/etc/vlibos"); err != nil {
		t.Fatal(err)
	}
	unchanged(t, before)
}
