// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package vlib

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
)

// tidy removes everything that may exist.
func (b *bench) tidy(t *testing.T) {
	t.Helper()
	for id := uint32(1); id < MaxReservations; id++ {
		if err := b.m.Unreserve(id); err != nil && !errors.Is(err, ErrNoReservation) {
			t.Error(err)
		}
	}
	for _, domid := range b.domids {
		if domid != 0 {
			if err := b.m.SetDomain(uint16(domid), 0, allFlags); err != nil && !errors.Is(err, ErrNoDomain) {
				t.Error(err)
			}
		}
		// Numbers increase: all holds are below a new one.
		d, err := b.m.Domain(uint16(domid))
		for hold := b.lastHold(t, uint16(domid)); err == nil && d.Holds > 0 && hold > 0; hold-- {
			if err = b.m.Drop(uint16(domid), hold); err == nil {
				d.Holds--
			} else if errors.Is(err, ErrNoHold) {
				err = nil
			}
		}
		if err != nil && !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrNoDomain) {
			t.Error(err)
		}
	}
	for cpu := range 2 {
		if err := b.m.Throttle(cpu, 0, 0); err != nil {
			t.Error(err)
		}
	}
	if err := b.m.Lease(0); err != nil {
		t.Error(err)
	}
}

// lastHold takes and drops a hold, if there is room for one, and returns its
// number; otherwise one of another domain.
func (b *bench) lastHold(t *testing.T, domid uint16) Hold {
	for _, d := range append([]uint32{uint32(domid)}, b.domids...) {
		if hold, err := b.m.Hold(uint16(d), time.Second); err == nil {
			if err := b.m.Drop(uint16(d), hold); err != nil {
				t.Error(err)
			}
			return hold
		}
	}
	return 0
}

// asBefore checks that nothing is left of what tidy removes.
func (b *bench) asBefore(t *testing.T) {
	t.Helper()
	info, err := b.m.Info()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", info)
	if info.Reservations != 0 || info.Lease != 0 || info.Domains > len(b.domids) || info.CPUs != 2 || !info.Host {
		t.Errorf("%+v", info)
	}
	for cpu := range 2 {
		c, err := b.m.CPU(cpu)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", c)
		floor := float64(info.FloorBudget) / float64(info.FloorPeriod)
		if c.Throttle != 0 || math.Abs(c.Admitted-floor) > 1e-6 {
			t.Errorf("%+v", c)
		}
	}
	for _, domid := range b.domids {
		d, err := b.m.Domain(uint16(domid))
		if errors.Is(err, ErrUnknown) || errors.Is(err, ErrNoDomain) {
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		t.Logf("%+v", d)
		if d.Flags != 0 || !d.Open || d.Reservation != 0 || d.Queued != 0 || d.Holds != 0 || d.Listening {
			t.Errorf("%+v", d)
		}
	}
}

// alive checks that Dom0's tools answer, that the guests run, and that Xen has
// logged no complaint.
func (b *bench) alive(t *testing.T) {
	t.Helper()
	if list := xl(t, "list"); !strings.Contains(list, "Domain-0") {
		t.Errorf("xl list: %s", list)
	}
	for _, domid := range b.domids {
		if domid == 0 {
			continue
		}
		from := b.beat(t, domid)
		testkit.Eventually(t, "a beat of a guest", func() bool { return b.beat(t, domid) > from })
		if result := b.read(t, domid, "result"); result != "" && result != "well" {
			t.Errorf("domain %d: %s", domid, result)
		}
	}
	for line := range strings.Lines(xl(t, "dmesg")) {
		for _, bad := range []string{"Assertion", "Xen WARN", "Xen BUG", "Watchdog", "FATAL", "stuck"} {
			if strings.Contains(line, bad) {
				t.Errorf("Xen says: %s", line)
			}
		}
	}
}

func (b *bench) beat(t *testing.T, domid uint32) int {
	t.Helper()
	n, err := strconv.Atoi(b.read(t, domid, "beat"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
