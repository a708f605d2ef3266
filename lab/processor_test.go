// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"testing"
	"time"

	"github.com/vlibos/vlibos/bench/mjump"
	"github.com/vlibos/vlibos/lab"
)

// TestProcessor runs alone, as TestContended does.
func TestProcessor(t *testing.T) {
	program, err := mjump.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"skylake-client", "skylake-server", "epyc-milan"} {
		t.Run(name, func(t *testing.T) {
			inDom0(t, lab.Config{
				Mode: lab.Contended, BusService: 10 * time.Microsecond, Processor: name, Xen: lab.VlibXen,
				Add: []lab.File{{Host: program, Guest: "/usr/bin/mjump"}}, Timeout: 15 * time.Minute,
			}, "lab/suite/processor")
		})
	}
}
