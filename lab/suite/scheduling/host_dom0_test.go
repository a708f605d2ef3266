// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package scheduling

import (
	"context"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/transport/xen"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// guestCPU is where the lab puts the DomUs in counted mode, and Dom0 not.
const guestCPU = 1

// host is Dom0's view of the machine.
type host struct {
	*testing.T
	xen *xenctl.Handle
	*vlib.Module
	payers map[*vlibcall.Channel]uint32 // reservations
}

func newHost(t *testing.T) *host {
	t.Helper()
	h, err := xenctl.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	m, err := vlib.Open(h)
	if err != nil {
		t.Fatal(err)
	}
	return &host{t, h, m, make(map[*vlibcall.Channel]uint32)}
}

func (h *host) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// reserve makes a reservation for the time of the test.
func (h *host) reserve(id uint32, budget, period time.Duration) {
	h.Helper()
	h.must(h.Reserve(id, budget, period))
	h.Cleanup(func() { h.must(h.Unreserve(id)) })
}

func (h *host) adopt(domid uint16, id uint32) {
	h.Helper()
	h.must(h.Adopt(domid, id))
}

// now is Xen's time, or as good: the monotonic clock runs on it.
func (h *host) now() time.Duration {
	return clock.Monotonic()
}

// account reads a reservation.
func (h *host) account(id uint32) vlib.Reservation {
	h.Helper()
	r, err := h.Reservation(id)
	h.must(err)
	return r
}

// cpuTime is what Xen's own accounting says that a domain ran.
func (h *host) cpuTime(domid uint16) time.Duration {
	h.Helper()
	info, err := h.xen.DomainInfo(domid)
	h.must(err)
	return info.CPUTime
}

func (h *host) cpu(cpu int) vlib.CPU {
	h.Helper()
	c, err := h.CPU(cpu)
	h.must(err)
	return c
}

// open makes a channel to the server of a DomU.
func (h *host) open(domid uint16, o vlibcall.Options) *vlibcall.Channel {
	h.Helper()
	c, err := h.tryOpen(domid, o)
	h.must(err)
	h.payers[c] = o.Reservation
	h.Cleanup(func() { h.must(c.Close()) })
	return c
}

func (h *host) tryOpen(domid uint16, o vlibcall.Options) (*vlibcall.Channel, error) {
	h.Helper()
	d, err := xen.Open(h.Context(), domid)
	h.must(err)
	h.Cleanup(func() { h.must(d.Close()) })
	return vlibcall.Open(h.Context(), d, 1, 8192, o)
}

// words is the input of the server's run for a shell's words.
func (h *host) words(text string) []byte {
	h.Helper()
	command := builtin.Command{Argv: []string{"sh", "-c", text}}
	input, err := command.Append(nil)
	h.must(err)
	return input
}

// spin keeps the DomU's CPU busy until the end of the test.
func (h *host) spin(domid uint16) {
	h.Helper()
	input := h.words("while :; do :; done")
	c := h.open(domid, vlibcall.Options{})
	ctx, stop := context.WithCancel(h.Context())
	p := c.Go(ctx, builtin.Library, builtin.Run, input, nil)
	h.Cleanup(func() {
		stop()
		<-p.Done()
	})
	// It spins when it has used more than a start takes.
	for from := h.cpuTime(domid); h.cpuTime(domid)-from < 100*time.Millisecond; {
		time.Sleep(20 * time.Millisecond)
	}
}
