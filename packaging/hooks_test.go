// SPDX-License-Identifier: Apache-2.0

//go:build packages

package packaging

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// hooks are the folders of XAPI in which the rpm has a hook.
var hooks = []string{"/etc/xapi.d/vm-pre-start", "/etc/xapi.d/vm-post-migrate", "/etc/xapi.d/vm-pre-shutdown"}

// hook runs a hook as XAPI does, and returns its status and what XAPI would show.
func hook(t *testing.T, file string) (status int, says string) {
	t.Helper()
	c := inside(file, "-vmuuid", "aaaaaaaa-0000-0000-0000-000000000001", "-reason", "none")
	out, err := c.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(out)
}

// The rpm's hooks refuse nothing without a master, whatever is wrong with the program, and
// leave nothing behind. XAPI runs every file in their folders, and other hooks stay.
func TestRPMHooksRefuseNothingAloneAndLeaveNothing(t *testing.T) {
	before := snapshot(t)
	do(t, "rpm", "-i", "--nodeps", bring(t, built, masterRPM))
	t.Cleanup(func() { inside("rpm", "-e", "vlibos").Run() })
	only := func(want string) {
		t.Helper()
		for _, dir := range hooks {
			if got := strings.TrimSpace(do(t, "ls", "-A", dir)); got != want {
				t.Errorf("%s has %q, want %q", dir, got, want)
			}
		}
	}
	only("vlibos")
	for _, dir := range hooks {
		if status, says := hook(t, dir+"/vlibos"); status != 0 || says != "" {
			t.Errorf("%s without a master: status %d, %q", dir, status, says)
		}
	}
	do(t, "rpm", "-U", "--nodeps", bring(t, next, masterRPM))
	only("vlibos")

	const program = "/usr/bin/vlibmaster"
	for text, want := range map[string]int{"echo no room; exit 17": 17, "exit 2": 0, "kill -9 $$": 0, "exit 1": 0} {
		if err := os.WriteFile(root+program, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if status, _ := hook(t, hooks[0]+"/vlibos"); status != want {
			t.Errorf("program %q: status %d, want %d", text, status, want)
		}
	}
	if err := os.Remove(root + program); err != nil {
		t.Fatal(err)
	}
	if status, says := hook(t, hooks[0]+"/vlibos"); status != 0 || says != "" {
		t.Errorf("without the program: status %d, %q", status, says)
	}
	if err := os.WriteFile(root+hooks[0]+"/mine", nil, 0o755); err != nil {
		t.Fatal(err)
	}
	do(t, "rpm", "-e", "vlibos")
	if got := do(t, "find", "/etc/xapi.d", "-type", "f"); got != hooks[0]+"/mine\n" {
		t.Errorf("hooks after the removal: %q", got)
	}
	if err := os.RemoveAll(root + "/etc/xapi.d"); err != nil {
		t.Fatal(err)
	}
	unchanged(t, before)
}
