// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab"
)

func TestToolstackSavesGatedDomains(t *testing.T) {
	t.Parallel()
	inDom0(t, lab.Config{Xen: lab.VlibXen, Mode: lab.Counted, DomUs: 2, Timeout: 15 * time.Minute}, "lab/suite/lifecycle")
}

// The machine that a domain migrates to has memory that Dom0 does not use.
func TestDomainMigratesWhileItIsCalled(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "link")
	for _, tt := range []struct {
		test, address string
		config        lab.Config
	}{
		{"TestSource", "10.0.0.1/24", lab.Config{DomUs: 1, DomUMemoryMiB: 128}},
		{"TestTarget", "10.0.0.2/24", lab.Config{MemoryMiB: 1700, XenArgs: "dom0_mem=1024M,max:1024M"}},
	} {
		t.Run(tt.test, func(t *testing.T) {
			t.Parallel()
			c := tt.config
			c.Xen, c.Join, c.Address, c.Timeout = lab.VlibXen, socket, netip.MustParsePrefix(tt.address), 15*time.Minute
			these(t, c, func(_, test string) bool { return test == tt.test }, "lab/suite/migration")
		})
	}
}
