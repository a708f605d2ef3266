// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package scheduling

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// A domain that does not report when it is done runs while a call is active, which its
// caller ends.
func TestParkedDomainRunsOnlyDuringCalls(t *testing.T) {
	h := newMachine(t)
	h.reserve(1, 5*ms, 10*ms)
	h.must(h.SetDomain(1, vlib.Parks, 0))
	defer func() { h.must(h.SetDomain(1, 0, vlib.Parks)) }()
	h.must(h.Allow(1, 1))
	c := h.open(1, vlibcall.Options{Timeout: 5 * time.Second, Reservation: 1})
	for range 100 {
		h.echo(c)
	}
	if d := h.domain(1); d.Open || d.Calls < 100 {
		h.Errorf("after 100 calls: %+v", d)
	}
	if ran := h.ran(1, 100*ms); ran != 0 {
		h.Errorf("it ran for %v without a call", ran)
	}
	ctx, cancel := context.WithTimeout(h.Context(), 100*ms)
	defer cancel()
	if err := h.run(ctx, c, "while :; do :; done"); !errors.Is(err, vlibcall.ErrTimeout) {
		h.Errorf("a loop: %v", err)
	}
	h.echo(c) // after the cancelled call has ended
	time.Sleep(ms)
	if ran := h.ran(1, 100*ms); ran != 0 {
		h.Errorf("it ran for %v after the calls", ran)
	}
}

// A listening domain does not run for callers that do not pay. The call is refused before
// anything waits.
func TestListeningDomainRefusesUnpaidCalls(t *testing.T) {
	h := newMachine(t)
	h.reserve(1, 5*ms, 10*ms)
	refused := func(what string, o vlibcall.Options) {
		h.Helper()
		if _, err := host.TryOpen(h, 1, o); !errors.Is(err, vlibcall.ErrReservation) {
			h.Errorf("%s: %v", what, err)
		}
	}
	refused("a reservation, but the domain does not listen", vlibcall.Options{Reservation: 1})
	h.listens(1)
	refused("no reservation, and it listens", vlibcall.Options{})
	c := h.open(1, vlibcall.Options{Timeout: time.Second, Reservation: 1})
	if _, err := c.Call(h.Context(), "vlib", "echo", nil, nil); !errors.Is(err, vlib.ErrNotAllowed) {
		h.Errorf("a reservation that is not allowed: %v", err)
	}
}
