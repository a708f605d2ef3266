// SPDX-License-Identifier: Apache-2.0

//go:build !packages

package packaging

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const panicEnv = "VLIBOS_TEST_END"

// ends are ways in which a daemon ends by mistake.
var ends = map[string]func(){
	"panic": func() { panic("not caught") },
	"abort": func() { syscall.Kill(os.Getpid(), syscall.SIGABRT); select {} }, // as systemd's watchdog does
}

// A daemon that panics, or that the watchdog aborts, is started again.
func TestCrashedDaemonsAreRestarted(t *testing.T) {
	if end := ends[os.Getenv(panicEnv)]; end != nil {
		end()
	}
	units := []string{"systemd/vlibmaster.service", "systemd/vlib-server.service"} // the third runs once
	for how := range ends {
		c := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$")
		c.Env = append(os.Environ(), panicEnv+"="+how)
		err := c.Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatal(how, err)
		}
		for _, unit := range units {
			if slices.Contains(notRestarted(t, unit), exit.ExitCode()) {
				t.Errorf("%s: a daemon that ends by %s has status %d, which is not restarted", unit, how, exit.ExitCode())
			}
		}
	}
}

// notRestarted returns the statuses after which a unit is not started again.
func notRestarted(t *testing.T, unit string) (all []int) {
	t.Helper()
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "\nRestart=on-failure\n") {
		t.Errorf("%s is never restarted", unit)
	}
	for line := range strings.Lines(string(text)) {
		if list, ok := strings.CutPrefix(line, "RestartPreventExitStatus="); ok {
			for _, word := range strings.Fields(list) {
				status, err := strconv.Atoi(word)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, status)
			}
		}
	}
	return all
}
