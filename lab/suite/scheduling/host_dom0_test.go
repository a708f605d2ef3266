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

// guestCPU is the CPU of the DomUs in counted mode; Dom0 has the other.
const guestCPU = 1

// machine is the machine as a test in Dom0 sees it.
type machine struct {
	*testing.T
	xen *xenctl.Handle
	*vlib.Module
	payers map[*vlibcall.Channel]uint32 // by channel, the reservation that pays
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

// reserve makes a reservation until the end of the test.
func (h *machine) reserve(id uint32, budget, period time.Duration) {
	h.Helper()
	h.must(h.Reserve(id, budget, period))
	h.Cleanup(func() { h.must(h.Unreserve(id)) })
}

func (h *machine) adopt(domid uint16, id uint32) {
	h.Helper()
	h.must(h.Adopt(domid, id))
}

// now returns Xen's time: the monotonic clock runs on it.
func (h *machine) now() time.Duration {
	return clock.Monotonic()
}

// account returns the state of a reservation.
func (h *machine) account(id uint32) vlib.Reservation {
	h.Helper()
	r, err := h.Reservation(id)
	h.must(err)
	return r
}

// cpuTime returns how long a domain has run, by Xen's own accounting.
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

// open opens a channel to the server of a DomU.
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
