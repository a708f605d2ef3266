// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab"
)

// Two guests issue every sub-operation where XSM is Flask, which enforces the policy
// of Xen's own source.
func TestFlaskRefusesGuests(t *testing.T) {
	const pkg = "xenctl/vlib"
	program, _ := compile(t, pkg)
	these(t, lab.Config{
		Xen: lab.VlibFlaskXen, DomUs: 2,
		DomUAdd: []lab.File{{Host: program, Guest: "/usr/bin/vlib-server"}},
		Env:     []string{"VLIBOS_FUZZ=5000"}, Timeout: 15 * time.Minute,
	}, func(_, test string) bool { return test == "TestLabFuzzFromGuests" }, pkg)
}
