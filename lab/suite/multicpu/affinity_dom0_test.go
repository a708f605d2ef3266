// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package multicpu

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
)

// adopt gives vlib2 a budget for each of two vCPUs, in 100 ms.
func adopt(t *testing.T, budget string) (out string, status int) {
	t.Helper()
	return host.Command(t, "vlibmaster", "adopt", "vlib2", "--budget", budget, "--period", "100ms", "--vcpus", "2")
}

// A vCPU that is unplugged is shown, and has its budget when it is plugged in again.
func TestUnpluggedVCPUIsShownAndKeepsItsBudget(t *testing.T) {
	host.Serve(t)
	if out, status := adopt(t, "20ms"); status != 0 {
		t.Fatal(out)
	}
	shown := func(unplugged []int, idle []int, words string, there bool) {
		t.Helper()
		testkit.Eventually(t, fmt.Sprintf("vCPUs %v are unplugged", unplugged), func() bool {
			d, s := host.Domain(t, "vlib2")
			return slices.Equal(d.Unplugged, unplugged) && slices.Equal(s.Idle(), idle) && s.Problem == ""
		})
		for _, args := range [][]string{{"ps"}, {"describe", "vlib2"}} {
			if text := host.Run(t, "vlibmaster", args...); strings.Contains(text, words) != there {
				t.Errorf("%v:\n%s", args, text)
			}
		}
	}
	const words = "1 of 2 servers have"
	shown(nil, nil, words, false)
	host.Must(t, tool(t, "xl", "vcpu-set", "vlib2", "1"))
	shown([]int{1}, []int{1}, words, true)
	host.Must(t, tool(t, "xl", "vcpu-set", "vlib2", "2"))
	// What a distribution's udev does when a CPU is added.
	host.Run(t, "vlibmaster", "call", "vlib2", "vlib", "run", "--", "sh", "-c",
		"until echo 1 >/sys/devices/system/cpu/cpu1/online; do sleep 0.1; done 2>/dev/null")
	shown(nil, nil, words, false)
	stop := host.Keep(t, "vlib2", "while :; do :; done & while :; do :; done")
	_, before := host.Domain(t, "vlib2")
	testkit.Eventually(t, "both vCPUs have their budgets", func() bool {
		_, now := host.Domain(t, "vlib2")
		for i, s := range now.Usage.Servers {
			if s.Foreground-before.Usage.Servers[i].Foreground < 100*ms {
				return false
			}
		}
		return len(now.Usage.Servers) == 2
	})
	stop()
	host.Run(t, "vlibmaster", "release", "vlib2")
}

// Budgets that fit on no CPU that affinity allows are refused, and a reservation that was
// in force waits with the reason until its vCPUs may run elsewhere again.
func TestAffinityThatLeavesAServerNoCPUIsNamed(t *testing.T) {
	host.Serve(t)
	pin := func(cpus string) { t.Helper(); host.Must(t, tool(t, "xl", "vcpu-pin", "vlib2", "all", cpus)) }
	defer pin("all")
	pin("2")
	out, status := adopt(t, "60ms")
	if status == 0 || !strings.Contains(out, "not admitted") || !strings.Contains(out, "CPU 2") {
		t.Errorf("twice 60 %% of CPU 2: status %d, %s", status, out)
	}
	pin("1-2")
	if out, status := adopt(t, "60ms"); status != 0 {
		t.Errorf("60 %% of CPU 1 and of CPU 2: %s", out)
	}
	pin("2")
	testkit.Eventually(t, "it is without its reservation", func() bool {
		_, s := host.Domain(t, "vlib2")
		return s.Waits && strings.Contains(s.Problem, "not admitted")
	})
	pin("1-2")
	testkit.Eventually(t, "it has its reservation again", func() bool {
		_, s := host.Domain(t, "vlib2")
		return !s.Waits && s.Problem == ""
	})
	host.Run(t, "vlibmaster", "release", "vlib2")
}

// A cpupool of one CPU has room for what fits on one.
func TestPoolOfOneCPU(t *testing.T) {
	host.Serve(t)
	pool := filepath.Join(t.TempDir(), "pool")
	host.Must(t, os.WriteFile(pool, []byte("name = \"one\"\nsched = \"credit2\"\ncpus = [\"2\"]\n"), 0o644))
	host.Repeat(t, "xl", "cpupool-cpu-remove", "Pool-0", "2")
	host.Must(t, tool(t, "xl", "cpupool-create", pool))
	host.Must(t, tool(t, "xl", "cpupool-migrate", "vlib2", "one"))
	// Under another scheduler the module keeps no budget, and says so.
	if out, status := adopt(t, "20ms"); status == 0 || !strings.Contains(out, "scheduler") {
		t.Errorf("in a pool under credit2: status %d, %s", status, out)
	}
	host.Must(t, tool(t, "xl", "cpupool-migrate", "vlib2", "Pool-0"))
	if out, status := adopt(t, "20ms"); status != 0 {
		t.Errorf("back in its pool: %s", out)
	}
	host.Must(t, tool(t, "xl", "cpupool-migrate", "vlib2", "one"))
	testkit.Eventually(t, "it is without its reservation", func() bool {
		_, s := host.Domain(t, "vlib2")
		return strings.Contains(s.Problem, "scheduler")
	})
	host.Must(t, tool(t, "xl", "cpupool-migrate", "vlib2", "Pool-0"))
	testkit.Eventually(t, "it has its reservation again", func() bool {
		_, s := host.Domain(t, "vlib2")
		return !s.Waits && s.Problem == ""
	})
	host.Run(t, "vlibmaster", "release", "vlib2")
	host.Must(t, tool(t, "xl", "cpupool-destroy", "one"))
	host.Must(t, tool(t, "xl", "cpupool-cpu-add", "Pool-0", "2"))
}
