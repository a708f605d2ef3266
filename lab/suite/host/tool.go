// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/internal/testkit"
)

// Command runs a program, and returns its output and its exit status.
func Command(t testing.TB, name string, args ...string) (string, int) {
	t.Helper()
	c := exec.Command(name, args...)
	out, err := c.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), c.ProcessState.ExitCode()
}

// Run is [Command] for a program that must succeed.
func Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, status := Command(t, name, args...)
	if status != 0 {
		t.Fatalf("%s %v: status %d\n%s", name, args, status, out)
	}
	return out
}

// Repeat runs a program until it succeeds: Xen refuses some changes for as long
// as a vCPU is on its way.
func Repeat(t testing.TB, name string, args ...string) {
	t.Helper()
	testkit.Eventually(t, name+" "+strings.Join(args, " "), func() bool {
		_, status := Command(t, name, args...)
		return status == 0
	})
}

// DomainID is the number of the domain with a name.
func DomainID(t testing.TB, name string) uint16 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimSpace(Run(t, "xl", "domid", name)), 10, 16)
	Must(t, err)
	return uint16(n)
}
