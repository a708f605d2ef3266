// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"slices"
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
	counters := []string{"TestModulesCountersCountTheBus", "TestThrottleIsClosedOverTheModulesCounters"}
	// Registers need no model of the bus, and no server in the DomU, if there is one.
	programmed := lab.Config{}
	beside := lab.Config{DomUs: 1, NoWait: true}
	// Turns that short cost nothing; tests of speed make them longer.
	counted := lab.Config{Mode: lab.Contended, BusService: 100 * time.Nanosecond, DomUs: 1, DomUAdd: jump, Add: jump}
	selftest := lab.Config{Mode: lab.Contended, BusService: 100 * time.Nanosecond, MemoryMiB: 2048}
	contended := lab.Config{Mode: lab.Contended, BusService: 10 * time.Microsecond, DomUs: 1, DomUAdd: jump, Add: jump}
	for _, boot := range []struct {
		processor, what string
		lab.Config
		xen, args string
		tests     []string
	}{
		{"icelake-server", "programmed", beside, "", "psr=cat,mba,cmt,rmid_max:1,cos_max:2", []string{"TestDaemonsClassesAreProgrammed", "TestMasksThatAreNoneAreRefused", "TestClassesOutliveACPU"}},
		{"sapphire-rapids", "programmed", programmed, "", "psr=cdp,mba,cmt", []string{"TestDaemonsClassesWithCodeAndDataApart"}},
		{"icelake-server-powers", "programmed", beside, "", "psr=cat,mba,cmt", []string{"TestDelaysOfPowersOfTwoAreNoPercentages"}},
		{"epyc-milan", "programmed", programmed, "", "psr=cat,mba,cmt", []string{"TestAMDsClassesByXen"}},
		{"icelake-server", "counted", counted, "", "psr=cat,mba,cmt", []string{"TestApartMasksKeepLinesInTheCache", "TestBandwidthSlowsTheDomainThatHasIt", "TestOccupancyIsTheFootprint", "TestWaysMoveToTheDomainThatUsesThem"}},
		{"icelake-server", "calls", counted, lab.VlibXen, "psr=cat,mba,cmt", []string{"TestReceiptHasWhatTheCallUsed", "TestCacheClassFollowsTheCall", "TestDaemonsClassFollowsAThreadsCall"}},
		{"skylake-client", "selftest", selftest, lab.VlibXen, "", []string{"TestSelftestPassesTheCounters"}},
		{"skylake-client", "contended", contended, lab.VlibXen, "", counters},
		{"skylake-server", "contended", contended, lab.VlibXen, "", counters},
		{"epyc-milan", "contended", contended, lab.VlibXen, "", counters},
	} {
		t.Run(boot.what+"/"+boot.processor, func(t *testing.T) {
			c := boot.Config
			c.Processor, c.Xen, c.XenArgs, c.Timeout = boot.processor, boot.xen, boot.args, 30*time.Minute
			these(t, c, func(_, test string) bool { return slices.Contains(boot.tests, test) }, "lab/suite/processor")
		})
	}
}
