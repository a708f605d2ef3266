// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"math"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
)

// These run on the distribution's Xen, under credit2.

// weight returns a domain's weight, as xl shows it.
func weight(t *testing.T, domain string) string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(host.Run(t, "xl", "sched-credit2", "-d", domain)), "\n")
	words := strings.Fields(lines[len(lines)-1])
	if len(words) != 4 || words[0] != domain {
		t.Fatalf("output of xl sched-credit2: %q", lines)
	}
	return words[2]
}

// Of two domains that spin on one CPU, the adopted one has its share in foreground. Its
// weight is restored when it is released.
func TestStockDomainHasItsShareAndItsWeightBack(t *testing.T) {
	d := host.Serve(t)
	d.Says(t, "host=stock")
	spin(t, "vlib1")
	spin(t, "vlib2")
	host.Run(t, "vlibmaster", "adopt", "vlib1", "--budget", "10ms", "--period", "100ms")
	time.Sleep(time.Second)
	foreground, used := share(t, "vlib1", 5*time.Second)
	if math.Abs(foreground-0.1) > 0.01 {
		t.Errorf("foreground %.3f %%, want 10 %% within 1 %% of the CPU", 100*foreground)
	}
	if used > 0.2*5 {
		t.Errorf("it ran for %.2f s in 5 s, although another domain spins", used)
	}
	if h := ps(t); h.Host != "stock" {
		t.Errorf("%+v", h)
	}
	host.Run(t, "vlibmaster", "release", "vlib1")
	if w := weight(t, "vlib1"); w != "256" {
		t.Errorf("weight %s after its release, want 256", w)
	}
}

// If the master is killed or stopped, weights are restored within the lease. What the
// operator has changed stays.
func TestStockWeightsAreRestoredWithinTheLease(t *testing.T) {
	d := host.Serve(t)
	spin(t, "vlib1")
	host.Run(t, "xl", "sched-credit2", "-d", "vlib2", "-w", "512")
	adopt := func() {
		t.Helper()
		for _, domain := range []string{"vlib1", "vlib2"} {
			host.Run(t, "vlibmaster", "adopt", domain, "--budget", "10ms", "--period", "100ms")
		}
	}
	adopt()
	host.Run(t, "xl", "pause", "vlib2")
	t.Cleanup(func() {
		host.Command(t, "xl", "unpause", "vlib2")
		host.Command(t, "xl", "sched-credit2", "-d", "vlib2", "-w", "256")
	})
	left := func(how string) {
		t.Helper()
		begun := time.Now()
		testkit.Eventually(t, "weights are back", func() bool { return weight(t, "vlib1") == "256" && weight(t, "vlib2") == "512" })
		if took := time.Since(begun); took > master.Lease+500*ms { // running xl takes time, too
			t.Errorf("%s: weights are back after %v, the lease is %v", how, took, master.Lease)
		} else {
			t.Logf("%s: weights are back after %v", how, took)
		}
		if out := host.Run(t, "xl", "list", "vlib2"); !strings.Contains(out, "--p---") {
			t.Errorf("%s: 'xl pause' was undone:\n%s", how, out)
		}
		if out := host.Run(t, "xl", "list", "vlib1"); strings.Contains(out, "--p---") {
			t.Errorf("%s: the domain is paused:\n%s", how, out)
		}
	}
	if err := d.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	left("stopped")
	if err := d.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	d.Says(t, "was late")
	testkit.Eventually(t, "it keeps the budget again", func() bool { return weight(t, "vlib1") != "256" })
	if err := d.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	d.Wait()
	left("killed")
	// The next master finds the adoptions, and the original weights.
	host.Serve(t)
	testkit.Eventually(t, "the next one keeps the budget", func() bool { return weight(t, "vlib1") != "256" })
	for _, domain := range []string{"vlib1", "vlib2"} {
		host.Run(t, "vlibmaster", "release", domain)
	}
	if one, two := weight(t, "vlib1"), weight(t, "vlib2"); one != "256" || two != "512" {
		t.Errorf("weights %s and %s, want 256 and 512", one, two)
	}
}
