// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package vlib

import (
	"fmt"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
)

// These tests come first: no earlier one has made a domain known to the module.

// A domain that was only adopted is reviewed like others.
func TestLabMovedDomainIsAdmittedWhereItIs(t *testing.T) {
	b := openBench(t)
	domid := uint16(b.domids[1])
	t.Cleanup(func() { xl(t, "vcpu-pin", fmt.Sprint(domid), "all", "all") })
	xl(t, "vcpu-pin", fmt.Sprint(domid), "all", "0")
	must(t, b.m.Reserve(5, time.Millisecond, 100*time.Millisecond), b.m.Adopt(domid, 5))
	xl(t, "vcpu-pin", fmt.Sprint(domid), "all", "1")
	testkit.Eventually(t, "the reservation is admitted on the CPU where the vCPU is now", func() bool {
		r, err := b.m.Reservation(5)
		must(t, err)
		return r.Unadmitted == 0
	})
}

// Many reservations take no thread's time away for long, even when all of them
// must be admitted again.
func TestLabManyReservationsDelayNoThread(t *testing.T) {
	b := openBench(t)
	domid := uint16(b.domids[1])
	t.Cleanup(func() { xl(t, "vcpu-pin", fmt.Sprint(domid), "all", "all") })
	xl(t, "vcpu-pin", fmt.Sprint(domid), "all", "0")
	made := 0
	for id := uint32(1); id <= 700; id++ {
		must(t, b.m.Reserve(id, MinBudget, MaxPeriod))
		if err := b.m.Allow(domid, id); err != nil {
			t.Logf("the last: %v", err)
			break
		}
		made++
	}
	p := startPulse()
	xl(t, "vcpu-pin", fmt.Sprint(domid), "all", "1")
	time.Sleep(3 * time.Second)
	longest := p.stop()
	t.Logf("%d reservations for one domain, longest pause %v", made, longest)
	if longest > 2*time.Second {
		t.Errorf("a thread of Dom0 did not run for %v", longest)
	}
}

// A domain with two reservations that moves is admitted with both only where
// both fit.
func TestLabReviewCountsAllReservations(t *testing.T) {
	b := openBench(t)
	first, second := uint16(b.domids[1]), uint16(b.domids[2])
	pin := func(domid uint16, cpu string) { xl(t, "vcpu-pin", fmt.Sprint(domid), "all", cpu) }
	t.Cleanup(func() { pin(first, "all"); pin(second, "all") })
	pin(first, "0")
	pin(second, "1")
	must(t, b.m.SetDomain(first, 0, 0)) // makes the module review it
	must(t, b.m.Reserve(8, 30*time.Millisecond, 100*time.Millisecond), b.m.Adopt(second, 8))
	for id := uint32(6); id < 8; id++ {
		must(t, b.m.Reserve(id, 40*time.Millisecond, 100*time.Millisecond), b.m.Allow(first, id))
	}
	pin(first, "1")
	time.Sleep(5 * time.Second)
	var unadmitted int
	for id := uint32(6); id < 9; id++ {
		r, err := b.m.Reservation(id)
		must(t, err)
		unadmitted += r.Unadmitted
	}
	c, err := b.m.CPU(1)
	must(t, err)
	if c.Admitted > 1 || unadmitted != 1 {
		t.Errorf("CPU 1 has %.2f admitted, %d reservations are not: want one that is not", c.Admitted, unadmitted)
	}
}
