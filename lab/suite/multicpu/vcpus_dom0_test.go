// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package multicpu

import (
	"testing"
	"time"

	"github.com/vlibos/vlibos/xenctl/vlib"
)

// TestManyVCPUs: a vLib OS with two vCPUs on two CPUs is gated as a whole, and
// has its budget once, not once a CPU.
func TestManyVCPUs(t *testing.T) {
	m, h := openModule(t)
	must(t, m.SetDomain(1, vlib.Listens, 0))
	defer m.SetDomain(1, 0, vlib.Listens)
	must(t, m.Reserve(1, 5*ms, 50*ms))
	defer m.Unreserve(1)
	must(t, m.Allow(1, 1))
	c := open(t, 1, 1)
	if got := run(t, c, "nproc"); got != "2" {
		t.Fatalf("the guest has %s CPUs, want 2", got)
	}
	before, err := m.Reservation(1)
	must(t, err)
	start := time.Now()
	// Both vCPUs are busy for some seconds.
	run(t, c, "f() { i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; }; f & f & wait")
	elapsed := time.Since(start)
	after, err := m.Reservation(1)
	must(t, err)
	foreground := after.Total.Foreground - before.Total.Foreground
	background := after.Total.Background - before.Total.Background
	periods := float64(elapsed) / float64(50*ms)
	t.Logf("%v, %.0f periods: foreground %v, which is %.2f ms a period, background %v", elapsed, periods, foreground, foreground.Seconds()*1000/periods, background)
	if most := time.Duration((periods+2)*float64(5*ms)) + time.Duration(periods)*100*time.Microsecond; foreground > most {
		t.Errorf("foreground %v in %v: at most %v is its budget", foreground, elapsed, most)
	}
	if foreground+background < elapsed/2 {
		t.Errorf("two busy vCPUs were charged %v in %v", foreground+background, elapsed)
	}
	d, err := m.Domain(1)
	must(t, err)
	for end := time.Now().Add(patience); !d.Listening || d.Open; {
		if time.Now().After(end) {
			t.Fatalf("it does not listen: %+v", d)
		}
		time.Sleep(ms)
		d, err = m.Domain(1)
		must(t, err)
	}
	info, err := h.DomainInfo(1)
	must(t, err)
	used := info.CPUTime
	time.Sleep(500 * ms)
	info, err = h.DomainInfo(1)
	must(t, err)
	if info.CPUTime != used {
		t.Errorf("it ran for %v, uncalled", info.CPUTime-used)
	}
}
