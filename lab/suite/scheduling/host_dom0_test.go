// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package scheduling

import (
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// guestCPU is where the lab puts the DomUs in counted mode, and Dom0 not.
const guestCPU = 1

// machine is the test's view of the machine, from Dom0.
type machine struct {
	*testing.T
	xen *xenctl.Handle
	*vlib.Module
	payers map[*vlibcall.Channel]uint32 // reservations
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m, h := host.Module(t)
	return &machine{t, h, m, make(map[*vlibcall.Channel]uint32)}
}

func (h *machine) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// reserve makes a reservation for the time of the test.
func (h *machine) reserve(id uint32, budget, period time.Duration) {
	h.Helper()
	h.must(h.Reserve(id, budget, period))
	h.Cleanup(func() { h.must(h.Unreserve(id)) })
}

func (h *machine) adopt(domid uint16, id uint32) {
	h.Helper()
	h.must(h.Adopt(domid, id))
}

// now is Xen's time, or as good: the monotonic clock runs on it.
func (h *machine) now() time.Duration {
	return clock.Monotonic()
}

// account reads a reservation.
func (h *machine) account(id uint32) vlib.Reservation {
	h.Helper()
	r, err := h.Reservation(id)
	h.must(err)
	return r
}

// cpuTime is what Xen's own accounting says that a domain ran.
func (h *machine) cpuTime(domid uint16) time.Duration {
	h.Helper()
	return host.CPUTime(h, h.xen, domid)
}

func (h *machine) cpu(cpu int) vlib.CPU {
	h.Helper()
	c, err := h.CPU(cpu)
	h.must(err)
	return c
}

// open makes a channel to the server of a DomU.
func (h *machine) open(domid uint16, o vlibcall.Options) *vlibcall.Channel {
	h.Helper()
	c := host.Open(h, domid, o)
	h.payers[c] = uint32(o.Reservation)
	return c
}

// spin keeps the DomU's CPU busy until the end of the test.
func (h *machine) spin(domid uint16) {
	h.Helper()
	h.Cleanup(host.Spin(h, h.xen, domid, 1))
}
