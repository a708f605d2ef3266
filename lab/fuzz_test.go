// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab"
)

// hypercallFuzz runs the tests of the module's hypercall in Dom0 and in two guests,
// whose server is the same program.
func hypercallFuzz(t *testing.T, mode lab.Mode, guest lab.Guest, timeout time.Duration, env ...string) {
	const pkg = "xenctl/vlib"
	program, _ := compile(t, pkg)
	inDom0(t, lab.Config{
		Xen: lab.VlibXen, Mode: mode, Guest: guest, DomUs: 2,
		DomUAdd: []lab.File{{Host: program, Guest: "/usr/bin/vlib-server"}},
		Env:     env, Timeout: timeout,
	}, pkg)
}

func TestRandomHypercallsDoNoHarm(t *testing.T) {
	hypercallFuzz(t, lab.Functional, lab.PV, 30*time.Minute)
}
