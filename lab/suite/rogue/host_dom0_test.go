// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// daemon is xenstored's process.
type daemon int

func xenstored(t testing.TB) daemon {
	t.Helper()
	text, err := os.ReadFile("/run/xen/xenstored.pid")
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return daemon(pid)
}

func (d daemon) stop(t testing.TB) {
	t.Helper()
	t.Cleanup(func() { unix.Kill(int(d), unix.SIGCONT) }) // whatever happens: the lab needs it
	if err := unix.Kill(int(d), unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

func (d daemon) resume(t testing.TB) {
	t.Helper()
	if err := unix.Kill(int(d), unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// grants counts the grants of a domain that Xen has in use, by its own word:
// its debug key g lists the active entries of every grant table.
func grants(t testing.TB, domid uint16) int {
	t.Helper()
	xl(t, "dmesg", "-c")
	xl(t, "debug-keys", "g")
	out := xl(t, "dmesg")
	_, table, ok := strings.Cut(out, fmt.Sprintf("grant-table for remote d%d (", domid))
	if !ok {
		t.Fatalf("no grant table of domain %d in\n%s", domid, out)
	}
	table, _, _ = strings.Cut(table, "grant-table for remote")
	return strings.Count(table, "(XEN) [0x")
}

func xl(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("xl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("xl %v: %v: %s", args, err, out)
	}
	return string(out)
}
