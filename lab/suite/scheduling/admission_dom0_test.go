// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package scheduling

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/vlibos/vlibos/xenctl/vlib"
)

func TestOverloadIsNotAdmitted(t *testing.T) {
	h := newMachine(t)
	h.reserve(1, 40*ms, 100*ms)
	h.reserve(2, 50*ms, 100*ms)
	h.adopt(1, 1)
	var refused *vlib.NotAdmitted
	if err := h.Adopt(2, 2); err != nil {
		h.Errorf("95 %% with the floor: %v", err)
	}
	err := h.Reserve(2, 60*ms, 100*ms)
	if !errors.As(err, &refused) || refused.CPU != guestCPU || refused.Response <= 100*ms {
		h.Errorf("105 %%: %v", err)
	}
	if got := h.account(2).Budget; got != 50*ms {
		h.Errorf("the refused change left a budget of %v", got)
	}
	if got := h.cpu(guestCPU).Admitted; math.Abs(got-0.95) > 1e-6 {
		h.Errorf("admitted %v, want 0.95", got)
	}
	h.must(h.Adopt(2, 0))
	h.must(h.Reserve(2, 60*ms, 100*ms)) // no domain runs on it
	if err := h.Adopt(2, 2); !errors.As(err, &refused) {
		h.Errorf("adopted at 105 %%: %v", err)
	}
}

func TestBudgetsAndPeriodsOutOfRangeAreRefused(t *testing.T) {
	h := newMachine(t)
	for _, c := range []struct{ budget, period time.Duration }{
		{0, 10 * ms}, {1, 10 * ms}, {vlib.MinBudget - 1, 10 * ms}, {11 * ms, 10 * ms}, {ms, 0}, {ms, -ms}, {-ms, 10 * ms},
		{100 * time.Microsecond, vlib.MinPeriod - 1}, {ms, vlib.MaxPeriod + 1}, {math.MaxInt64, math.MaxInt64}, {math.MinInt64, math.MinInt64},
	} {
		if err := h.Reserve(9, c.budget, c.period); !errors.Is(err, vlib.ErrRange) {
			h.Errorf("budget %v, period %v: %v", c.budget, c.period, err)
		}
	}
	if _, err := h.Reservation(9); !errors.Is(err, vlib.ErrNoReservation) {
		h.Errorf("a refused reservation exists: %v", err)
	}
}
