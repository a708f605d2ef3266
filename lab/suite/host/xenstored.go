// SPDX-License-Identifier: Apache-2.0

package host

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Xenstored is the process of xenstored.
type Xenstored struct{ pid int }

// FindXenstored finds the running xenstored.
func FindXenstored(t testing.TB) Xenstored {
	t.Helper()
	text, err := os.ReadFile("/run/xen/xenstored.pid")
	Must(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	Must(t, err)
	return Xenstored{pid}
}

// Stop keeps it from answering until Resume, or until the test ends: other
// tests need it.
func (x Xenstored) Stop(t testing.TB) {
	t.Helper()
	t.Cleanup(func() { unix.Kill(x.pid, unix.SIGCONT) })
	Must(t, unix.Kill(x.pid, unix.SIGSTOP))
}

// Resume ends Stop.
func (x Xenstored) Resume(t testing.TB) {
	t.Helper()
	Must(t, unix.Kill(x.pid, unix.SIGCONT))
}

// Kill kills it. It cannot be started again while domains run.
func (x Xenstored) Kill(t testing.TB) {
	t.Helper()
	Must(t, unix.Kill(x.pid, unix.SIGKILL))
}
