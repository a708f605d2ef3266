// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
)

// setHandle gives a domain another handle, as toolstacks do.
func setHandle(t *testing.T, domid uint16, handle [16]byte) {
	t.Helper()
	if err := host.Xen(t).SetUUID(domid, handle); err != nil {
		t.Fatal(err)
	}
}

func handle(t *testing.T, domid uint16) [16]byte {
	t.Helper()
	h := host.Xen(t)
	info, err := h.DomainInfo(domid)
	if err != nil {
		t.Fatal(err)
	}
	return info.UUID
}

// runs waits until a domain is on its reservation without a problem.
func runs(t *testing.T, name string) (s api.Status) {
	t.Helper()
	testkit.Eventually(t, name+" is on its reservation", func() bool {
		s = adopted(t, name)
		return s.Running() && s.Problem == "" && !s.Waits
	})
	return s
}

// keeps waits until a spinning domain has used its budget three more times.
func keeps(t *testing.T, name string) {
	t.Helper()
	first := runs(t, name)
	testkit.Eventually(t, name+" has its budget repeatedly", func() bool {
		return adopted(t, name).Foreground > first.Foreground+3*first.Budget
	})
}

// A domain with a new handle is still the same domain: its budget is kept, it is listed,
// and its weight is restored when it is released.
func TestStockDomainWithAnotherHandleIsTheSame(t *testing.T) {
	host.Serve(t)
	spin(t, "vlib1")
	host.Run(t, "xl", "sched-credit2", "-d", "vlib1", "-w", "300")
	t.Cleanup(func() { host.Run(t, "xl", "sched-credit2", "-d", "vlib1", "-w", "256") })
	host.Run(t, "vlibmaster", "adopt", "vlib1", "--budget", "10ms", "--period", "100ms")
	testkit.Eventually(t, "it is in background", func() bool { return weight(t, "vlib1") == "1" })
	old := handle(t, vlib1)
	t.Cleanup(func() { setHandle(t, vlib1, old) })
	setHandle(t, vlib1, [16]byte{1, 2, 3})
	keeps(t, "vlib1")
	setHandle(t, vlib1, old)
	keeps(t, "vlib1")
	setHandle(t, vlib1, [16]byte{4, 5, 6})
	host.Run(t, "vlibmaster", "release", "vlib1")
	if w := weight(t, "vlib1"); w != "300" {
		t.Errorf("weight %s after its release, want 300", w)
	}
}

// creditPool makes a cpupool of CPU 1 under credit, the only other scheduler of Debian's
// Xen.
func creditPool(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pool")
	if err := os.WriteFile(file, []byte("name = \"other\"\nsched = \"credit\"\ncpus = [\"1\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	host.Repeat(t, "xl", "cpupool-cpu-remove", "Pool-0", "1")
	host.Repeat(t, "xl", "cpupool-create", file)
	t.Cleanup(func() {
		host.Repeat(t, "xl", "cpupool-migrate", "vlib2", "Pool-0")
		host.Repeat(t, "xl", "cpupool-destroy", "other")
		host.Repeat(t, "xl", "cpupool-cpu-add", "Pool-0", "1")
	})
}

// An adopted domain that is moved to a pool under another scheduler has its budget by that
// scheduler's means. ps still lists the others, and the domain can be released.
func TestStockBudgetFollowsADomainToAnotherPool(t *testing.T) {
	for _, domain := range []string{"vlib1", "vlib2"} {
		host.Run(t, "xl", "vcpu-pin", domain, "all", "all")
		t.Cleanup(func() { host.Command(t, "xl", "vcpu-pin", domain, "all", "1") })
	}
	host.Serve(t)
	spin(t, "vlib2")
	for _, domain := range []string{"vlib1", "vlib2"} {
		host.Run(t, "vlibmaster", "adopt", domain, "--budget", "10ms", "--period", "100ms")
	}
	creditPool(t)
	host.Repeat(t, "xl", "cpupool-migrate", "vlib2", "other")
	if h := ps(t); len(h.Reservations) != 2 {
		t.Errorf("%+v", h.Reservations)
	}
	host.Run(t, "vlibmaster", "top", "-n", "1")
	testkit.Eventually(t, "it is on the pool's CPU", func() bool {
		s := adopted(t, "vlib2")
		return len(s.CPUs) == 1 && s.CPUs[0] == 1
	})
	keeps(t, "vlib2")
	for _, domain := range []string{"vlib1", "vlib2"} {
		host.Run(t, "vlibmaster", "release", domain)
	}
	if out := host.Run(t, "xl", "sched-credit", "-d", "vlib2"); !strings.Contains(out, " 256 ") {
		t.Errorf("after its release:\n%s", out)
	}
}

// fullCPU pins an adopted domain to a CPU most of which another has reserved. It runs
// without its reservation, which is visible, until there is room.
func fullCPU(t *testing.T, d *host.Master) {
	t.Helper()
	pin := func(cpu string) { t.Helper(); host.Run(t, "xl", "vcpu-pin", "vlib2", "all", cpu) }
	pin("0")
	t.Cleanup(func() { pin("1") })
	for _, domain := range []string{"vlib1", "vlib2"} {
		host.Run(t, "vlibmaster", "adopt", domain, "--budget", "60ms", "--period", "100ms")
	}
	runs(t, "vlib2")
	pin("1")
	testkit.Eventually(t, "vlib2 is without its reservation", func() bool {
		s := adopted(t, "vlib2")
		return s.Running() && s.Waits && strings.Contains(s.Problem, "not admitted")
	})
	d.Says(t, "a reservation is not in force")
	if s := adopted(t, "vlib1"); s.Problem != "" {
		t.Errorf("the other: %+v", s)
	}
	host.Run(t, "vlibmaster", "release", "vlib1")
	begun := time.Now()
	runs(t, "vlib2")
	t.Logf("it is on its reservation %v after there was room", time.Since(begun))
	host.Run(t, "vlibmaster", "release", "vlib2")
}

// A domain without its reservation has its original weight.
func TestStockDomainOnAFullCPUWaitsForRoom(t *testing.T) {
	d := host.Serve(t)
	fullCPU(t, d)
	if w := weight(t, "vlib2"); w != "256" {
		t.Errorf("weight %s", w)
	}
}

// The same holds where the module keeps budgets.
func TestDomainOnAFullCPUWaitsForRoom(t *testing.T) { fullCPU(t, host.Serve(t)) }

// The lock belongs to the host, not to a path.
func TestStockHostHasOneMaster(t *testing.T) {
	host.Serve(t)
	out, status := host.Command(t, "vlibmaster", "serve", "--run-dir", t.TempDir())
	if status != 19 || !strings.Contains(out, "another vlibmaster serves this host: ") {
		t.Errorf("status %d\n%s", status, out)
	}
}
