// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package multicpu

import (
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// A vLib OS with two vCPUs on two CPUs has one gate, and its budget once, not once on each
// CPU.
func TestDomainWithTwoVCPUsHasItsBudgetOnce(t *testing.T) {
	m, h := host.Module(t)
	host.Must(t, m.SetDomain(1, vlib.Listens, 0))
	defer m.SetDomain(1, 0, vlib.Listens)
	host.Must(t, m.Reserve(1, 5*ms, 50*ms))
	defer m.Unreserve(1)
	host.Must(t, m.Allow(1, 1))
	c := open(t, 1, 1)
	if got := host.RunIn(t, c, "nproc"); got != "2" {
		t.Fatalf("the guest has %s CPUs, want 2", got)
	}
	before, err := m.Reservation(1)
	host.Must(t, err)
	start := time.Now()
	// Both vCPUs are busy for some seconds.
	host.RunIn(t, c, "f() { i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; }; f & f & wait")
	elapsed := time.Since(start)
	after, err := m.Reservation(1)
	host.Must(t, err)
	foreground := after.Total.Foreground - before.Total.Foreground
	background := after.Total.Background - before.Total.Background
	periods := float64(elapsed) / float64(50*ms)
	t.Logf("%v, %.0f periods: foreground %v, which is %.2f ms a period, background %v", elapsed, periods, foreground, foreground.Seconds()*1000/periods, background)
	if most := time.Duration((periods+2)*float64(5*ms)) + time.Duration(periods)*100*time.Microsecond; foreground > most {
		t.Errorf("foreground %v in %v, want at most %v", foreground, elapsed, most)
	}
	if foreground+background < elapsed/2 {
		t.Errorf("two busy vCPUs were charged %v in %v", foreground+background, elapsed)
	}
	testkit.Eventually(t, "the vLib OS listens, and its gate is closed", func() bool {
		d, err := m.Domain(1)
		host.Must(t, err)
		return d.Listening && !d.Open
	})
	used := host.CPUTime(t, h, 1)
	time.Sleep(500 * ms)
	if ran := host.CPUTime(t, h, 1) - used; ran != 0 {
		t.Errorf("it ran for %v without a call", ran)
	}
}
