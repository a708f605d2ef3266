// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/master"
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

// runs waits until a domain is on its reservation, without a problem.
func runs(t *testing.T, name string) (s master.Status) {
	t.Helper()
	testkit.Eventually(t, name+" is on its reservation", func() bool {
		s = adopted(t, name)
		return s.Domain != "" && s.Problem == "" && !s.Waits
	})
	return s
}

// keeps waits until a domain that spins has had more of its budget, and none is
// left of it.
func keeps(t *testing.T, name string) {
	t.Helper()
	first := runs(t, name)
	testkit.Eventually(t, name+" has its budget again and again", func() bool {
		return adopted(t, name).Foreground > first.Foreground+3*first.Budget
	})
}

// TestStockNewHandle: a domain with another handle is the same domain: its budget
// is kept, it is listed, and has its weight back when it is released.
func TestStockNewHandle(t *testing.T) {
	serve(t)
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

// creditPool makes a cpupool of CPU 1, under the one other scheduler that Debian's
// Xen has.
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

// TestStockPoolMove: an adopted domain that is moved to a pool under another
// scheduler is kept there by that scheduler's means, hides no other in ps, and can
// be released.
func TestStockPoolMove(t *testing.T) {
	for _, domain := range []string{"vlib1", "vlib2"} {
		host.Run(t, "xl", "vcpu-pin", domain, "all", "all")
		t.Cleanup(func() { host.Command(t, "xl", "vcpu-pin", domain, "all", "1") })
	}
	serve(t)
	spin(t, "vlib2")
	for _, domain := range []string{"vlib1", "vlib2"} {
		host.Run(t, "vlibmaster", "adopt", domain, "--budget", "10ms", "--period", "100ms")
	}
	creditPool(t)
	host.Repeat(t, "xl", "cpupool-migrate", "vlib2", "other")
	if h := ps(t); len(h.Adopted) != 2 {
		t.Errorf("%+v", h.Adopted)
	}
	host.Run(t, "vlibmaster", "top", "--once")
	testkit.Eventually(t, "it is where it was moved to", func() bool {
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

// fullCPU pins an adopted domain onto a CPU that another has most of: it runs
// without its reservation, visibly, until there is room.
func fullCPU(t *testing.T, d *daemon) {
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
		return s.Domain != "" && s.Waits && strings.Contains(s.Problem, "not admitted")
	})
	d.says(t, "an adopted domain runs without its reservation")
	if s := adopted(t, "vlib1"); s.Problem != "" {
		t.Errorf("the other: %+v", s)
	}
	host.Run(t, "vlibmaster", "release", "vlib1")
	begun := time.Now()
	runs(t, "vlib2")
	t.Logf("on its reservation %v after there was room", time.Since(begun))
	host.Run(t, "vlibmaster", "release", "vlib2")
}

// TestStockPinnedOntoAFullCPU: without its reservation it weighs what it did.
func TestStockPinnedOntoAFullCPU(t *testing.T) {
	d := serve(t)
	fullCPU(t, d)
	if w := weight(t, "vlib2"); w != "256" {
		t.Errorf("weight %s", w)
	}
}

// TestPinnedOntoAFullCPU is that where the module keeps budgets.
func TestPinnedOntoAFullCPU(t *testing.T) { fullCPU(t, serve(t)) }

// TestStockOneMaster: the lock is on the host, not on a path.
func TestStockOneMaster(t *testing.T) {
	serve(t)
	out, status := host.Command(t, "vlibmaster", "serve", "--run-dir", t.TempDir())
	if status != 19 || !strings.Contains(out, "another vlibmaster serves this host: ") {
		t.Errorf("status %d\n%s", status, out)
	}
}
