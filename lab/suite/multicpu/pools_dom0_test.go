// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package multicpu

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// alone pins the DomUs to CPU 2, and Dom0 to the others, until the end of the test.
func alone(t *testing.T) {
	t.Helper()
	host.Must(t, tool(t, "xl", "vcpu-pin", "Domain-0", "all", "0-1"))
	for _, name := range []string{"vlib1", "vlib2"} {
		host.Must(t, tool(t, "xl", "vcpu-pin", name, "all", "2"))
	}
	t.Cleanup(func() {
		for _, name := range []string{"Domain-0", "vlib1", "vlib2"} {
			if out, err := exec.Command("xl", "vcpu-pin", name, "all", "all").CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		}
	})
}

// shares returns the first domain's part of the time that two domains ran, over two seconds
// of it.
func shares(t *testing.T, h *xenctl.Handle) (first float64) {
	t.Helper()
	one, two := host.CPUTime(t, h, 1), host.CPUTime(t, h, 2)
	had := func() time.Duration { return host.CPUTime(t, h, 1) - one + host.CPUTime(t, h, 2) - two }
	testkit.Eventually(t, "they run", func() bool { return had() >= 2*time.Second })
	return float64(host.CPUTime(t, h, 1)-one) / float64(had())
}

// A guest that spins on two vCPUs has no more of a CPU than one that spins on one.
func TestDomainsShareBackground(t *testing.T) {
	_, h := host.Module(t)
	alone(t)
	// Otherwise Linux would move the loop between the vCPUs.
	host.Must(t, tool(t, "xl", "vcpu-set", "vlib2", "1"))
	defer tool(t, "xl", "vcpu-set", "vlib2", "2")
	testkit.Eventually(t, "the other has one vCPU", func() bool {
		v, err := h.VCPU(2, 1)
		return err == nil && !v.Online
	})
	defer host.Spin(t, h, 1, 4)() // more than its vCPUs, so that all of them are busy
	defer host.Spin(t, h, 2, 1)()
	busy := func(vcpu int) time.Duration {
		v, err := h.VCPU(1, vcpu)
		host.Must(t, err)
		return v.CPUTime
	}
	testkit.Eventually(t, "its second vCPU is busy, too", func() bool {
		before := busy(1)
		time.Sleep(500 * ms)
		return busy(1)-before > 50*ms
	})
	zero, one := busy(0), busy(1)
	first := shares(t, h)
	t.Logf("the guest with two busy vCPUs had %.3f of the time, its vCPUs %v and %v", first, busy(0)-zero, busy(1)-one)
	if first < 0.45 || first > 0.55 {
		t.Errorf("the guest with two busy vCPUs had %.3f of the time, want half", first)
	}
}

// A CPU leaves its pool and comes back, and its scheduler's data are allocated again,
// usually at the same address. The time that a domain had before does not count against it.
func TestRenewedRunqueueOwesNothing(t *testing.T) {
	_, h := host.Module(t)
	alone(t)
	defer host.Spin(t, h, 1, 1)()
	from := host.CPUTime(t, h, 1)
	testkit.Eventually(t, "it had eight seconds", func() bool { return host.CPUTime(t, h, 1)-from >= 8*time.Second })
	host.Must(t, tool(t, "xl", "pause", "vlib1"))
	host.Must(t, tool(t, "xl", "vcpu-pin", "vlib1", "all", "1"))
	host.Must(t, tool(t, "xl", "vcpu-pin", "vlib2", "all", "1"))
	testkit.Eventually(t, "the CPU leaves", func() bool { return tool(t, "xl", "cpupool-cpu-remove", "Pool-0", "2") == nil })
	host.Must(t, tool(t, "xl", "cpupool-cpu-add", "Pool-0", "2"))
	host.Must(t, tool(t, "xl", "vcpu-pin", "vlib1", "all", "2"))
	host.Must(t, tool(t, "xl", "vcpu-pin", "vlib2", "all", "2"))
	defer host.Spin(t, h, 2, 1)()
	host.Must(t, tool(t, "xl", "unpause", "vlib1"))
	first := shares(t, h)
	t.Logf("the earlier domain had %.3f of the time", first)
	if first < 0.45 || first > 0.55 {
		t.Errorf("the earlier domain had %.3f of the time, want half", first)
	}
}

// A listening domain that is moved to a pool under another scheduler is told to wait for
// events, and uses no time.
func TestListenerInAnotherPoolWaits(t *testing.T) {
	m, h := host.Module(t)
	host.Must(t, m.Lease(0)) // that of an earlier test's master is over, and opened all gates
	host.Must(t, m.SetDomain(1, vlib.Listens, 0))
	defer m.SetDomain(1, 0, vlib.Listens)
	host.Must(t, m.Reserve(1, 5*ms, 50*ms))
	defer m.Unreserve(1)
	host.Must(t, m.Allow(1, 1))
	c := open(t, 1, 1)
	host.RunIn(t, c, "true")
	testkit.Eventually(t, "it listens", func() bool {
		d, err := m.Domain(1)
		host.Must(t, err)
		return d.Listening && !d.Open
	})
	pool := t.TempDir() + "/pool"
	host.Must(t, os.WriteFile(pool, []byte("name = \"other\"\nsched = \"credit2\"\ncpus = [\"2\"]\n"), 0o644))
	testkit.Eventually(t, "a CPU leaves", func() bool { return tool(t, "xl", "cpupool-cpu-remove", "Pool-0", "2") == nil })
	host.Must(t, tool(t, "xl", "cpupool-create", pool))
	host.Must(t, tool(t, "xl", "cpupool-migrate", "vlib1", "other"))
	time.Sleep(500 * ms) // until it has noticed
	from := host.CPUTime(t, h, 1)
	time.Sleep(2 * time.Second)
	if used := host.CPUTime(t, h, 1) - from; used > time.Second {
		t.Errorf("in another pool it used %v of two seconds", used)
	}
	if out, err := echo(t, c); err != nil || out != "there" {
		t.Errorf("in another pool: %q, %v", out, err)
	}
	host.Must(t, tool(t, "xl", "cpupool-migrate", "vlib1", "Pool-0"))
	host.Must(t, tool(t, "xl", "cpupool-destroy", "other"))
	host.Must(t, tool(t, "xl", "cpupool-cpu-add", "Pool-0", "2"))
	if out, err := echo(t, c); err != nil || out != "there" {
		t.Errorf("back in its pool: %q, %v", out, err)
	}
}

func echo(t *testing.T, c *vlibcall.Channel) (string, error) {
	out, err := c.Call(t.Context(), builtin.Library, builtin.Echo, []byte("there"), nil)
	return string(out), err
}
