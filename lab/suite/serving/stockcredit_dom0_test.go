// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
)

// both moves vlib1 to the pool under credit, beside vlib2.
func both(t *testing.T) {
	t.Helper()
	for _, domain := range []string{"vlib1", "vlib2"} {
		host.Run(t, "xl", "vcpu-pin", domain, "all", "all")
		t.Cleanup(func() { host.Command(t, "xl", "vcpu-pin", domain, "all", "1") })
	}
	creditPool(t)
	host.Repeat(t, "xl", "cpupool-migrate", "vlib2", "other")
	t.Cleanup(func() { host.Repeat(t, "xl", "cpupool-migrate", "vlib1", "Pool-0") })
	host.Repeat(t, "xl", "cpupool-migrate", "vlib1", "other")
}

func isPaused(t *testing.T, domain string) bool {
	t.Helper()
	return strings.Contains(host.Run(t, "xl", "list", domain), "--p---")
}

// runsUndone waits for a dead master's lease, and checks that the domain is then not paused
// and runs for that part of a second.
func runsUndone(t *testing.T, domain string, part float64) {
	t.Helper()
	time.Sleep(master.Lease)
	before := xlTime(t, domain)
	time.Sleep(time.Second)
	if ran := xlTime(t, domain) - before; ran < part || isPaused(t, domain) {
		t.Errorf("%s ran for %.1f s in a second, paused %v", domain, ran, isPaused(t, domain))
	}
}

// Under credit, weights leave half of a CPU to a domain of weight 1. An adopted domain has
// its budget there, and beyond that what another leaves.
func TestStockBudgetUnderCredit(t *testing.T) {
	d := host.Serve(t)
	both(t)
	spin(t, "vlib1")
	host.Run(t, "xl", "sched-credit", "-d", "vlib1", "-w", "300")
	host.Run(t, "vlibmaster", "adopt", "vlib1", "--budget", "10ms", "--period", "100ms")
	time.Sleep(500 * ms)
	if _, used := share(t, "vlib1", 2*time.Second); used < 0.95*2 {
		t.Errorf("it ran for %.2f s in 2 s, although no other domain wants the CPU", used)
	}
	t.Run("beside another", func(t *testing.T) {
		spin(t, "vlib2")
		time.Sleep(500 * ms)
		foreground, used := share(t, "vlib1", 3*time.Second)
		if math.Abs(foreground-0.1) > 0.01 || used > 0.2*3 {
			t.Errorf("foreground %.3f %%, %.2f s used in 3 s, want 10 %% and at most as much beyond", 100*foreground, used)
		}
		// A dead master leaves nothing paused, and an operator's pause in force.
		host.Run(t, "xl", "pause", "vlib2")
		t.Cleanup(func() { host.Command(t, "xl", "unpause", "vlib2") })
		if err := d.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		d.Wait()
		runsUndone(t, "vlib1", 0.7)
		if !isPaused(t, "vlib2") {
			t.Error("'xl pause' was undone")
		}
		if out := host.Run(t, "xl", "sched-credit", "-d", "vlib1"); !strings.Contains(out, " 300 ") {
			t.Errorf("after the lease:\n%s", out)
		}
	})
	host.Serve(t)
	host.Run(t, "vlibmaster", "release", "vlib1")
}

// Without the module the throttle pauses domains in background for their share of each
// period. Budgets, and a critical domain beside, have their time.
func TestStockThrottlePausesBackground(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config")
	text := "[throttle]\nsource = 'probe'\nprobe_cpu = 0\nprobe_mib = 4\nthreshold_ns = 1\ncpus = [1]\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d := host.Serve(t, "--config", config)
	for domain, class := range map[string]string{"vlib1": "batch", "vlib2": "critical"} {
		spin(t, domain)
		host.Run(t, "vlibmaster", "adopt", domain, "--budget", "10ms", "--period", "100ms", "--class", class)
	}
	testkit.Eventually(t, "the throttle is closed", func() bool {
		s := ps(t).Throttle
		return s != nil && s.State == api.ThrottleClosed && len(s.CPUs) == 1 && s.CPUs[0].Idle > 0.9
	})
	before, critical := adopted(t, "vlib1"), xlTime(t, "vlib2")
	foreground, used := share(t, "vlib1", 3*time.Second)
	if math.Abs(foreground-0.1) > 0.01 || used > 0.2*3 {
		t.Errorf("foreground %.3f %%, %.2f s used in 3 s", 100*foreground, used)
	}
	if taken := adopted(t, "vlib1").Throttled - before.Throttled; taken < time.Second {
		t.Errorf("throttled for %v", taken)
	}
	if ran := xlTime(t, "vlib2") - critical; ran < 0.7*3 {
		t.Errorf("the critical domain ran for %.2f s of 3", ran)
	}
	// A dead master leaves nothing paused.
	if err := d.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	d.Wait()
	runsUndone(t, "vlib1", 0.3)
	if w := weight(t, "vlib1"); w != "256" {
		t.Errorf("weight %s", w)
	}
	host.Serve(t)
	for _, domain := range []string{"vlib1", "vlib2"} {
		host.Run(t, "vlibmaster", "release", domain)
	}
}
