// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package scheduling

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/vlibos/vlibos/xenctl/vlib"
)

// ran returns how long a domain runs within d.
func (h *machine) ran(domid uint16, d time.Duration) time.Duration {
	h.Helper()
	before := h.cpuTime(domid)
	time.Sleep(d)
	return h.cpuTime(domid) - before
}

func TestDomainRunsOnlyWithItsGateOpen(t *testing.T) {
	h := newMachine(t)
	h.spin(1)
	for range 3 {
		h.must(h.SetDomain(1, vlib.Closed, 0))
		time.Sleep(ms)
		if ran := h.ran(1, 100*ms); ran != 0 {
			h.Errorf("it ran for %v with its gate closed", ran)
		}
		h.must(h.SetDomain(1, 0, vlib.Closed))
		if ran := h.ran(1, 100*ms); ran < 90*ms {
			h.Errorf("it ran for %v of 100 ms with its gate open", ran)
		}
	}
	if err := h.SetDomain(0, vlib.Closed, 0); !errors.Is(err, fs.ErrPermission) {
		h.Errorf("Dom0's gate: %v", err)
	}
}

// A hold opens a closed gate for its time.
func TestHoldOpensAGateForItsTime(t *testing.T) {
	h := newMachine(t)
	h.spin(1)
	h.must(h.SetDomain(1, vlib.Closed, 0))
	defer h.SetDomain(1, 0, vlib.Closed)
	hold, err := h.Hold(1, time.Minute)
	h.must(err)
	if ran := h.ran(1, 50*ms); ran < 45*ms {
		h.Errorf("with a hold it ran for %v of 50 ms", ran)
	}
	h.must(h.Drop(1, hold))
	time.Sleep(ms)
	if ran := h.ran(1, 50*ms); ran != 0 {
		h.Errorf("without the hold it ran for %v", ran)
	}
	late, err := h.Hold(1, 100*ms)
	h.must(err)
	time.Sleep(110 * ms)
	if ran := h.ran(1, 50*ms); ran != 0 {
		h.Errorf("after the hold's time it ran for %v", ran)
	}
	other, err := h.Hold(1, time.Minute)
	h.must(err)
	if err := h.Drop(1, late); !errors.Is(err, vlib.ErrNoHold) {
		h.Errorf("drop of a hold that has ended: %v", err)
	}
	if ran := h.ran(1, 50*ms); ran < 45*ms {
		h.Errorf("a late drop of another hold ended this one: it ran for %v of 50 ms", ran)
	}
	h.must(h.Drop(1, other))
}

// Gates and throttles outlive their master by a lease and not longer.
func TestGatesOpenWhenTheLeaseEnds(t *testing.T) {
	h := newMachine(t)
	h.spin(1)
	h.must(h.Lease(300 * ms))
	h.must(h.SetDomain(1, vlib.Closed, 0))
	h.must(h.Throttle(guestCPU, 10*ms, 10*ms))
	for range 4 {
		if ran := h.ran(1, 200*ms); ran > ms {
			h.Errorf("with a renewed lease it ran for %v", ran)
		}
		h.must(h.Lease(300 * ms))
	}
	time.Sleep(310 * ms)
	if ran := h.ran(1, 100*ms); ran < 90*ms {
		h.Errorf("after the lease it ran for %v of 100 ms", ran)
	}
	info, err := h.Info()
	h.must(err)
	if info.LeasesLost == 0 {
		h.Error("no lease lost is counted")
	}
	h.must(h.Lease(300 * ms))
	time.Sleep(ms)
	if ran := h.ran(1, 100*ms); ran != 0 {
		h.Errorf("with a new lease it ran for %v, although its gate is closed", ran)
	}
	h.must(h.SetDomain(1, 0, vlib.Closed))
	if c := h.cpu(guestCPU); c.Throttle != 0 {
		h.Errorf("the throttle of %v came back", c.Throttle)
	}
	h.must(h.Lease(0))
}
