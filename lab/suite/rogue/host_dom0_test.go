// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/lab/suite/host"
)

// grants returns how many grants of a domain are in use in Xen, by Xen's debug key g, which
// lists the active entries of every grant table.
func grants(t testing.TB, domid uint16) int {
	t.Helper()
	host.Run(t, "xl", "dmesg", "-c")
	host.Run(t, "xl", "debug-keys", "g")
	out := host.Run(t, "xl", "dmesg")
	_, table, ok := strings.Cut(out, fmt.Sprintf("grant-table for remote d%d (", domid))
	if !ok {
		t.Fatalf("no grant table of domain %d in\n%s", domid, out)
	}
	table, _, _ = strings.Cut(table, "grant-table for remote")
	return strings.Count(table, "(XEN) [0x")
}
