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
	jump := []lab.File{{Host: program, Guest: "/usr/bin/mjump"}}
	for name, c := range map[string]lab.Config{
		"skylake-client": {Xen: lab.VlibXen},
		"skylake-server": {Xen: lab.VlibXen},
		"epyc-milan":     {Xen: lab.VlibXen},
		"icelake-server": {XenArgs: "psr=cat,mba,cmt", DomUs: 1, DomUAdd: jump},
	} {
		t.Run(name, func(t *testing.T) {
			c.Mode, c.BusService, c.Processor = lab.Contended, 10*time.Microsecond, name
			c.Add, c.Timeout = jump, 15*time.Minute
			counters := c.Xen == lab.VlibXen
			these(t, c, func(_, test string) bool {
				return (test == "TestModulesCountersCountTheBus") == counters
			}, "lab/suite/processor")
		})
	}
}
