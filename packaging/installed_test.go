// SPDX-License-Identifier: Apache-2.0

//go:build packages

package packaging

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// man finds the pages, and neither man nor mandoc warns of them.
func TestManualPagesHaveNoWarnings(t *testing.T) {
	install(t, masterDeb, guestDeb)
	for page, says := range map[string][]string{
		"8 vlibmaster":      {"vlibmaster adopt DOMAIN", "--budget", "EXIT CODES", "not-admitted"},
		"5 vlibmaster.toml": {"/etc/vlibos/vlibmaster.toml", "period"},
		"8 vlib-server":     {"--libraries", "EXIT STATUS"},
		"8 vlib-worker":     {"descriptor 3"},
	} {
		section, name, _ := strings.Cut(page, " ")
		has(t, do(t, "man", "-P", "cat", section, name), says...)
		file := strings.TrimSpace(do(t, "man", "-w", section, name))
		if want := fmt.Sprintf("/usr/share/man/man%s/%s.%s.gz", section, name, section); file != want {
			t.Errorf("man %s is %s, want %s", page, file, want)
		}
		do(t, "mandoc", "-T", "lint", "-W", "warning", file)
		if out := do(t, "sh", "-c", "man --warnings=all -E UTF-8 -l -Tutf8 "+file+" 2>&1 >/dev/null"); out != "" {
			t.Errorf("man %s warns: %s", page, out)
		}
	}
}

// systemd accepts the units, and knows every setting in them.
func TestSystemdAcceptsTheUnits(t *testing.T) {
	install(t, masterDeb, guestDeb, hypervisorDeb)
	for _, unit := range []string{"vlibmaster", "vlib-server", "vlibos-xen"} {
		out := do(t, "systemd-analyze", "verify", "--man=no", "/usr/lib/systemd/system/"+unit+".service")
		lacks(t, out, unit)
	}
	do(t, "systemd-analyze", "security", "--offline=true", "--threshold=50", "/usr/lib/systemd/system/vlib-server.service")
}

// The completion uses the installed program.
func TestCompletionKnowsTheCommands(t *testing.T) {
	install(t, masterDeb)
	out := do(t, "bash", "-c", `. /usr/share/bash-completion/completions/vlibmaster
COMP_WORDS=(vlibmaster ado); COMP_CWORD=1; _vlibmaster; echo "${COMPREPLY[@]}"; complete -p vlibmaster`)
	if !regexp.MustCompile(`(?m)^adopt$`).MatchString(out) {
		t.Errorf("completes 'vlibmaster ado' to %q", out)
	}
}
