// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab"
	"github.com/vlibos/vlibos/lab/image"
)

// TestScheduling runs in counted mode, so that shares are exact. Such a machine is one
// thread, and the load of the host does not change its counts.
func TestScheduling(t *testing.T) {
	scheduling(t, lab.PV)
}

func scheduling(t *testing.T, guest lab.Guest) {
	t.Parallel()
	inDom0(t, lab.Config{
		Xen: lab.VlibXen, Mode: lab.Counted, Guest: guest, DomUs: 2, Timeout: 15 * time.Minute,
	}, "lab/suite/scheduling")
}

// TestManyCPUs runs on CPUs that run at the same time. Its last test destroys a DomU.
func TestManyCPUs(t *testing.T) {
	t.Parallel()
	inDom0(t, lab.Config{
		Xen: lab.VlibXen, PCPUs: 3, Dom0VCPUs: 2, DomUs: 2, DomUVCPUs: 2, Timeout: 24 * time.Minute,
	}, "lab/suite/multicpu")
}

// TestSeveralServers has a domain with four vCPUs that each have a budget, on CPUs where
// four others spin.
func TestSeveralServers(t *testing.T) {
	t.Parallel()
	inDom0(t, lab.Config{
		Xen: lab.VlibXen, Mode: lab.Counted, PCPUs: 5, DomUs: 5, DomUVCPUs: 4, DomUCPUs: "1-4", Timeout: 15 * time.Minute,
	}, "lab/suite/servers")
}

// TestNodeWithoutMemory has the DomUs on the CPU of a NUMA node that has no memory.
func TestNodeWithoutMemory(t *testing.T) {
	t.Parallel()
	these(t, lab.Config{Xen: lab.VlibXen, Mode: lab.Counted, DomUs: 2, EmptyNode: true, Timeout: 15 * time.Minute},
		func(_, test string) bool {
			return slices.Contains([]string{"TestAdoptedDomainHasItsShareInForeground", "TestTheDomainsNodeHasNoMemory"}, test)
		}, "lab/suite/serving")
}

// collections is the longest test of lab/suite/serving.
const collections = "TestStockKeeperStaysInTimeDuringCollections"

// long are the tests of lab/suite/serving that take minutes each. make soak runs them.
// The last one leaves a cpupool that cannot be removed.
var long = []string{
	"TestWallClockChangesNoBudget", "TestThreadAndCalleeShareOneBudget", "TestBudgetsAndCallsNeedNoXenstored",
	"TestGuestOverItsXenstoreQuotaStillServes", "TestCallOfADestroyedDomainEndsOnce", "TestBudgetsAndCallsOutliveXenstored",
	collections, "TestDomainIsPausedWhereThereAreNoWeights",
}

// everywhere are the tests of the stock host that run on other releases, too: shares,
// and faults of the daemon. What they do not reach depends on no interface of Xen.
var everywhere = []string{"TestStockDomainHasItsShareAndItsWeightBack", "TestStockWeightsAreRestoredWithinTheLease", "TestStockHostHasOneMaster"}

// TestServing tests the daemon as an operator uses it: where the module keeps budgets,
// and where the daemon does.
func TestServing(t *testing.T) {
	t.Parallel()
	module := func(test string) bool {
		return test != "TestTheDomainsNodeHasNoMemory" && !strings.HasPrefix(test, "TestStock") && !slices.Contains(long, test)
	}
	// Debian's Xen 4.17.7 once died (in credit2's csched2_free_domdata) when a domain
	// changed its pool after two domains had been in another one. So this boots alone.
	const pools = "TestStockBudgetUnderCredit"
	stock := func(test string) bool {
		return strings.HasPrefix(test, "TestStock") && !slices.Contains(long, test) && test != pools
	}
	for _, tt := range []struct {
		name, xen, release string
		wanted             func(test string) bool
	}{
		{"module", lab.VlibXen, image.DefaultRelease, module},
		{"stock", lab.StockXen, image.DefaultRelease, stock},
		{"stock-credit", lab.StockXen, image.DefaultRelease, func(test string) bool { return test == pools }},
		{"stock-trixie", lab.StockXen, "trixie", func(test string) bool { return slices.Contains(everywhere, test) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			these(t, lab.Config{Xen: tt.xen, Release: tt.release, Mode: lab.Counted, DomUs: 2, Timeout: 15 * time.Minute},
				func(_, test string) bool { return tt.wanted(test) }, "lab/suite/serving")
		})
	}
}
