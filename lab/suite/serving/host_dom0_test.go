// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
)

const ms = time.Millisecond

// daemon is a running 'vlibmaster serve'.
type daemon struct {
	*exec.Cmd
	log *testkit.Text
}

// serve starts a master and waits until it serves.
func serve(t *testing.T, args ...string) *daemon {
	t.Helper()
	d := &daemon{exec.Command("vlibmaster", append([]string{"serve"}, args...)...), new(testkit.Text)}
	d.Stderr = d.log
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.Process.Signal(syscall.SIGCONT) // errors mean that it has ended already
		d.Process.Signal(syscall.SIGTERM)
		d.Wait()
		if t.Failed() {
			t.Log(d.log)
		}
	})
	d.says(t, "msg=serving")
	return d
}

// says waits until the master's log contains words.
func (d *daemon) says(t *testing.T, words string) {
	t.Helper()
	testkit.Eventually(t, words, func() bool { return strings.Contains(d.log.String(), words) })
}

// ps returns the output of 'vlibmaster ps --json'.
func ps(t *testing.T) api.Host {
	t.Helper()
	var h api.Host
	if err := json.Unmarshal([]byte(host.Run(t, "vlibmaster", "ps", "--json")), &h); err != nil {
		t.Fatal(err)
	}
	return h
}

// adopted returns the status of an adopted domain.
func adopted(t *testing.T, name string) api.Status {
	t.Helper()
	for _, s := range ps(t).Reservations {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("%s is not adopted", name)
	return api.Status{}
}

// spin keeps a DomU busy until the end of the test.
func spin(t *testing.T, domain string) {
	t.Helper()
	c := exec.Command("vlibmaster", "call", "--timeout", "0", domain, "vlib", "run", "--", "sh", "-c", "while :; do :; done")
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Signal(os.Interrupt)
		c.Wait()
	})
}
