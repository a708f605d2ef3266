// SPDX-License-Identifier: Apache-2.0

package packaging

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The server's service has a user of its own and few rights. It runs commands for Dom0 only
// if it is told to.
func TestGuestServiceIsConfined(t *testing.T) {
	const unit = "systemd/vlib-server.service"
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nDynamicUser=yes\n", "\nExecStart=/usr/bin/vlib-server --run=false $VLIB_SERVER_FLAGS\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %q", unit, want)
		}
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd is not installed: TestSystemdAcceptsTheUnits checks the unit, too")
	}
	// The threshold is ten times the level that systemd shows.
	if out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=50", unit).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// A reload refuses a wrong configuration where the operator sees it.
func TestReloadChecksTheConfiguration(t *testing.T) {
	text, err := os.ReadFile("systemd/vlibmaster.service")
	if err != nil {
		t.Fatal(err)
	}
	if want := "\nExecReload=/usr/bin/vlibmaster serve --check\nExecReload=/bin/kill -HUP $MAINPID\n"; !strings.Contains(string(text), want) {
		t.Errorf("the unit lacks %q", want)
	}
}
