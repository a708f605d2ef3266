// SPDX-License-Identifier: Apache-2.0

package native

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// What keeping costs: 100 domains that sleep, and then one more that spins. The
// targets are printed; only a multiple of them fails.
func TestCost(t *testing.T) {
	if !timed() {
		t.Skip("a time, which needs a machine at rest: 'make test SUITE=timed'")
	}
	versions(t, func(t *testing.T, p *Host, _ Options) {
		const domains = 100
		cpu := lastCPU(t, p)
		heap := memory()
		for i := range domains {
			name := fmt.Sprintf("idle%d", i)
			if err := p.Create(name); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := p.Remove(ctx, name); err != nil {
					t.Error(err)
				}
			}()
			pin(t, p, domain(name), cpu)
		}
		// A sleeper is looked at as often as its budget could be used up.
		for _, budget := range []time.Duration{10 * time.Millisecond, time.Millisecond} {
			for i := range domains {
				adopt(t, p, domain(fmt.Sprintf("idle%d", i)), uint32(i+1), budget, 100*budget)
			}
			time.Sleep(300 * time.Millisecond)
			idle := cost(t)
			t.Logf("%d idle domains of %v in %v: %.2f %% of a core (target 1), %d KiB", domains, budget, 100*budget, 100*idle, (memory()-heap)/1024)
			if idle > 0.05 {
				t.Errorf("%.2f %% of a core for domains that sleep", 100*idle)
			}
		}
		busy, _ := start(t, p, "busy", spin)
		pin(t, p, busy, cpu)
		adopt(t, p, busy, 1000, 10*time.Millisecond, 100*time.Millisecond)
		t.Logf("and one that spins: %.2f %% of a core", 100*cost(t))
	})
}

// cost is what this process uses of a core.
func cost(t *testing.T) float64 {
	t.Helper()
	before, begin := cpuTime(t), time.Now()
	time.Sleep(3 * time.Second)
	return float64(cpuTime(t)-before) / float64(time.Since(begin))
}

func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
