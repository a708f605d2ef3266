// SPDX-License-Identifier: Apache-2.0

package native

import (
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/cpulist"
	"github.com/vlibos/vlibos/internal/testkit"
)

// alarmed leaves out layouts, and machines, that have no alarm.
func alarmed(t *testing.T, p *Host) {
	t.Helper()
	if p.layout.usage.version != 2 {
		t.Skip("version 1 counts")
	}
	if p.k.alarm == nil {
		_, err := openAlarm(p.layout.usage.dir)
		t.Skipf("this kernel has none: %v", err)
	}
}

// watched is whether all sleep and the alarm is on, and which are looked at.
func watched(t *testing.T, p *Host) (armed bool, awake int) {
	t.Helper()
	if err := p.k.Do(ctx, func() {
		armed, awake = p.k.watch.armed, len(p.k.adopted)-len(p.k.watch.sleepers)
	}); err != nil {
		t.Fatal(err)
	}
	return armed, awake
}

func TestAlarm(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		alarmed(t, p)
		a, err := openAlarm(p.layout.usage.dir)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := a.close(); err != nil {
				t.Error(err)
			}
		}()
		rings := func(within time.Duration) bool {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(a.epoll), Events: unix.POLLIN}}, int(within.Milliseconds()))
			if err != nil {
				t.Fatal(err)
			}
			return n > 0
		}
		if err := a.set(true); err != nil {
			t.Fatal(err)
		}
		if rings(100 * ms) {
			t.Error("it goes off, and nothing runs")
		}
		d, _ := start(t, p, "spinner", spin)
		pin(t, p, d, lastCPU(t, p))
		if !rings(10 * time.Second) {
			t.Error("it does not go off, and a domain runs")
		}
		if err := a.set(false); err != nil {
			t.Fatal(err)
		}
		rings(0)
		if rings(100 * ms) {
			t.Error("it goes off when it is off")
		}
		if !a.covers([]int{lastCPU(t, p)}) || a.covers([]int{cpulist.Max}) {
			t.Error("CPUs that it covers")
		}
	})
}

// A domain that sleeps is not looked at, and is looked at when it runs; other
// domains that run all the time do not keep the keeper awake.
func TestAlarmWakesKeeper(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		alarmed(t, p)
		cpu := lastCPU(t, p)
		begin := func(name, script string, id uint32) (host.Domain, *exec.Cmd) {
			d, cmd := start(t, p, name, script)
			pin(t, p, d, cpu)
			if id != 0 {
				adopt(t, p, d, id, 10*ms, 100*ms)
			}
			return d, cmd
		}
		allSleep := func() bool {
			armed, awake := watched(t, p)
			return armed && awake == 0
		}
		begin("idle", "sleep 1000", 1)
		d, cmd := begin("later", "sleep 1; "+spin, 2)
		testkit.Eventually(t, "all sleep and the alarm is on", allSleep)
		testkit.Eventually(t, "what runs is charged", func() bool { return usage(t, p, d, 2).Foreground > 20*ms })
		testkit.Eventually(t, "one is awake, without the alarm", func() bool {
			armed, awake := watched(t, p)
			return !armed && awake == 1
		})
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "all sleep again", allSleep)
		begin("stranger", spin, 0)
		testkit.Eventually(t, "the alarm is off: a domain that is not adopted runs all the time", func() bool {
			armed, awake := watched(t, p)
			return !armed && awake == 0
		})
	})
}
