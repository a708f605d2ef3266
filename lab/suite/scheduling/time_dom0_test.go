// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package scheduling

import (
	"fmt"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// uptime returns the DomU's own monotonic clock.
func (h *machine) uptime(c *vlibcall.Channel) time.Duration {
	h.Helper()
	var seconds float64
	text := host.RunIn(h, c, "cat /proc/uptime")
	if _, err := fmt.Sscan(text, &seconds); err != nil {
		h.Fatalf("uptime %q: %v", text, err)
	}
	return time.Duration(seconds * float64(time.Second))
}

// gated returns how far the DomU's clock advances while its gate is closed for d.
func (h *machine) gated(c *vlibcall.Channel, d time.Duration) time.Duration {
	h.Helper()
	before := h.uptime(c)
	h.must(h.SetDomain(1, vlib.Closed, 0))
	time.Sleep(d)
	h.must(h.SetDomain(1, 0, vlib.Closed))
	return h.uptime(c) - before
}

// A guest whose time is stopped with its gate sees no jump after a minute. Its watchdogs
// report nothing, and its timers work.
func TestStoppedTimeHidesAClosedGate(t *testing.T) {
	h := newMachine(t)
	c := h.open(1, vlibcall.Options{Timeout: 30 * time.Second})
	h.Logf("clock source: %s", host.RunIn(h, c, "cat /sys/devices/system/clocksource/clocksource0/current_clocksource"))
	if jump := h.gated(c, 10*time.Second); jump < 10*time.Second {
		h.Errorf("with running time, 10 s behind the gate were %v", jump)
	}
	h.must(h.SetDomain(1, vlib.StopTime, 0))
	for range 2 {
		if jump := h.gated(c, time.Minute); jump < 0 || jump > time.Second {
			h.Errorf("with stopped time, a minute behind the gate was %v", jump)
		}
	}
	stopped := h.domain(1).Stopped
	if stopped < 2*time.Minute || stopped > 2*time.Minute+time.Second {
		h.Errorf("its time is %v behind, after two minutes", stopped)
	}
	before, start := h.uptime(c), h.now()
	host.RunIn(h, c, "sleep 1")
	slept, took := h.uptime(c)-before, h.now()-start
	h.Logf("a sleep of 1 s: %v by the guest's clock, %v by Dom0's", slept, took)
	if slept < time.Second || took > 2*time.Second {
		h.Errorf("a sleep of 1 s took %v by the guest's clock, %v by Dom0's", slept, took)
	}
	if log := host.RunIn(h, c, "dmesg | grep -iE 'lockup|stalls? on|hung_task|unstable|backwards' | head -5"); log != "" {
		h.Errorf("the guest's log: %s", log)
	}
}
