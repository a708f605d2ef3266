// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package servers

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

const (
	vcpus   = 4
	domains = 5
	ms      = time.Millisecond
)

// foregrounds are what the servers of reservation 1 have had in foreground.
func foregrounds(t *testing.T, m *vlib.Module) (used []time.Duration, cpus []int) {
	t.Helper()
	for i := range vcpus {
		s, err := m.Server(1, i)
		host.Must(t, err)
		used, cpus = append(used, s.Total.Foreground), append(cpus, s.CPU)
	}
	return used, cpus
}

// Each vCPU of a domain has half of a CPU of its own in foreground, beside four
// spinning vCPUs of other domains on that CPU.
func TestEachVCPUHasItsBudgetOnItsOwnCPU(t *testing.T) {
	m, h := host.Module(t)
	host.Must(t, m.ReserveEach(1, vcpus, 50*ms, 100*ms))
	t.Cleanup(func() { host.Must(t, m.Unreserve(1)) })
	host.Must(t, m.Adopt(1, 1))
	for d := range domains {
		t.Cleanup(host.Spin(t, h, uint16(d+1), vcpus))
	}
	time.Sleep(500 * ms)
	start := clock.Monotonic()
	before, cpus := foregrounds(t, m)
	slices.Sort(cpus)
	if !slices.Equal(cpus, []int{1, 2, 3, 4}) {
		t.Errorf("the servers are on CPUs %v, want each on its own", cpus)
	}
	time.Sleep(5 * time.Second)
	elapsed := clock.Monotonic() - start
	after, _ := foregrounds(t, m)
	for i := range vcpus {
		share := 100 * float64(after[i]-before[i]) / float64(elapsed)
		t.Logf("vCPU %d: %.3f %% in foreground, of %v", i, share, elapsed)
		if math.Abs(share-50) > 0.2 {
			t.Errorf("vCPU %d: %.3f %% in foreground, want 50.0 ± 0.2", i, share)
		}
	}
}
