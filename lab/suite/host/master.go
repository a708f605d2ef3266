// SPDX-License-Identifier: Apache-2.0

package host

import (
	"encoding/json"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/internal/testkit"
)

// Serve runs a master until the end of the test.
func Serve(t testing.TB) {
	t.Helper()
	c := exec.Command("vlibmaster", "serve")
	var log strings.Builder
	c.Stderr = &log
	Must(t, c.Start())
	t.Cleanup(func() {
		c.Process.Signal(syscall.SIGTERM)
		c.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	testkit.Eventually(t, "the master serves", func() bool {
		_, status := Command(t, "vlibmaster", "ps")
		return status == 0
	})
}

// All is what the master says of the host and all its domains.
func All(t testing.TB) (h api.Host) {
	t.Helper()
	Must(t, json.Unmarshal([]byte(Run(t, "vlibmaster", "ps", "-a", "--json")), &h))
	return h
}

// Domain is what the master says of a domain with a name, and of its reservation.
func Domain(t testing.TB, name string) (d api.Domain, s api.Status) {
	t.Helper()
	h := All(t)
	for _, r := range h.Reservations {
		if r.Name == name {
			s = r
		}
	}
	for _, d := range h.Domains {
		if d.Name == name {
			return d, s
		}
	}
	t.Fatalf("the master knows no domain %s: %+v", name, h.Domains)
	return d, s
}

// Keep has a shell in a DomU execute words until stop is called, or until the test ends.
func Keep(t testing.TB, domain, words string) (stop func()) {
	t.Helper()
	c := exec.Command("vlibmaster", "call", "--timeout", "0", domain, "vlib", "run", "--", "sh", "-c", words)
	Must(t, c.Start())
	stop = func() {
		c.Process.Signal(syscall.SIGINT) // an error if it has ended
		c.Wait()
	}
	t.Cleanup(stop)
	return stop
}
