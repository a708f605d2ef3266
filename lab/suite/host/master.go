// SPDX-License-Identifier: Apache-2.0

package host

import (
	"encoding/json"
	"os/exec"
	"syscall"
	"testing"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/internal/testkit"
)

// Master is a running 'vlibmaster serve'.
type Master struct {
	*exec.Cmd
	Log   *testkit.Text
	ended chan struct{} // closed when err says how it ended
	err   error
}

// Serve runs a master until the end of the test, with arguments of serve, and returns when
// it serves. It ends the test, with the log, if the master ends before.
func Serve(t testing.TB, args ...string) *Master {
	t.Helper()
	m := &Master{Cmd: exec.Command("vlibmaster", append([]string{"serve"}, args...)...), Log: new(testkit.Text), ended: make(chan struct{})}
	m.Stderr = m.Log
	Must(t, m.Start())
	go func() {
		defer close(m.ended)
		m.err = m.Cmd.Wait()
	}()
	t.Cleanup(func() {
		m.Process.Signal(syscall.SIGCONT) // errors mean that it has ended already
		m.Process.Signal(syscall.SIGTERM)
		m.Wait()
		if t.Failed() {
			t.Log(m.Log)
		}
	})
	m.Says(t, "msg=serving")
	return m
}

// Wait returns how the master ended.
func (m *Master) Wait() error {
	<-m.ended
	return m.err
}

// Says waits until the log has words. It ends the test, with the log, if the master ends
// without them.
func (m *Master) Says(t testing.TB, words string) {
	t.Helper()
	m.SaysAgain(t, words, 0)
}

// SaysAgain waits until the log has words more often than before.
func (m *Master) SaysAgain(t testing.TB, words string, before int) {
	t.Helper()
	testkit.Eventually(t, "the master says "+words, func() bool {
		over := false
		select {
		case <-m.ended:
			over = true // and its log is complete
		default:
		}
		said := m.Log.Count(words) > before
		if over && !said {
			t.Fatalf("the master ended, %v, and did not say %q:\n%s", m.err, words, m.Log)
		}
		return said
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
