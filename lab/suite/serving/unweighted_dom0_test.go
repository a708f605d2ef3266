// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/lab/suite/host"
)

// otherPool puts both domains on CPU 1, in a cpupool whose scheduler has no weights. The
// pool stays: Xen 4.17 crashes when a pool under RTDS loses its last CPU.
func otherPool(t *testing.T) {
	t.Helper()
	pool := filepath.Join(t.TempDir(), "pool")
	if err := os.WriteFile(pool, []byte("name = \"unweighted\"\nsched = \"rtds\"\ncpus = [\"1\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, domain := range []string{"vlib1", "vlib2"} {
		host.Run(t, "xl", "vcpu-pin", domain, "all", "all")
	}
	host.Repeat(t, "xl", "cpupool-cpu-remove", "Pool-0", "1")
	host.Repeat(t, "xl", "cpupool-create", pool)
	for _, domain := range []string{"vlib1", "vlib2"} {
		host.Repeat(t, "xl", "cpupool-migrate", domain, "unweighted")
	}
}

// Under a scheduler without weights, a domain without budget is paused while another wants
// its CPU. The master's pauses and an operator's are independent, and those of a dead
// master are undone. It is the last test of its boot.
func TestDomainIsPausedWhereThereAreNoWeights(t *testing.T) {
	otherPool(t)
	t.Setenv("VLIBOS_HOST", "stock") // although the module is there
	d := host.Serve(t)
	spin(t, "vlib1")
	spin(t, "vlib2")
	host.Run(t, "vlibmaster", "adopt", "vlib2", "--budget", "10ms", "--period", "100ms")
	time.Sleep(500 * ms)
	foreground, used := share(t, "vlib2", 3*time.Second)
	if math.Abs(foreground-0.1) > 0.01 || math.Abs(used/3-0.1) > 0.015 {
		t.Errorf("foreground %.3f %%, %.2f s used in 3 s, want 10 %% of both", 100*foreground, used)
	}
	host.Run(t, "xl", "pause", "vlib2")
	t.Cleanup(func() { host.Command(t, "xl", "unpause", "vlib2") })
	if err := d.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	d.Wait()
	time.Sleep(master.Lease)
	if !isPaused(t, "vlib2") {
		t.Error("'xl pause' was undone")
	}
	host.Run(t, "xl", "unpause", "vlib2")
	if isPaused(t, "vlib2") {
		t.Error("the pause of the dead master was not undone")
	}
	before := xlTime(t, "vlib2")
	time.Sleep(time.Second)
	if ran := xlTime(t, "vlib2") - before; ran < 0.3 {
		t.Errorf("it ran for %.1f s in a second beside another, although it is not paused", ran)
	}
	host.Serve(t)
	host.Run(t, "vlibmaster", "release", "vlib2")
}
