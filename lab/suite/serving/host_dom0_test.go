// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/lab/suite/host"
)

const ms = time.Millisecond

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
