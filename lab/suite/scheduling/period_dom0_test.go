// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package scheduling

import (
	"context"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
)

// A busy callee is observed once in each of its caller's periods, beside a domain with a
// longer period. In no period does it run longer than the budget.
func TestNoPeriodHasMoreThanTheBudget(t *testing.T) {
	h := newMachine(t)
	const budget, period = 3 * ms, 20 * ms
	h.reserve(1, budget, period)
	h.reserve(2, 70*ms, 100*ms)
	h.spin(2)
	h.adopt(2, 2)
	h.listens(1)
	h.must(h.Allow(1, 1))
	c := h.open(1, vlibcall.Options{Reservation: 1})
	h.echo(c)
	input := host.Shell(h, "while :; do :; done")
	ctx, cancel := context.WithCancel(h.Context())
	defer cancel()
	p := c.Go(ctx, builtin.Library, builtin.Run, input, nil)
	time.Sleep(5 * period)
	h.Log("    time   foreground   background   the other, foreground")
	start, last, other := h.now(), h.account(1), h.account(2)
	looked := start
	for next := start + period; next <= start+40*period; next += period {
		time.Sleep(next - h.now())
		now, a := h.now(), h.account(1)
		read, b := h.now(), h.account(2)
		foreground := a.Total.Foreground - last.Total.Foreground
		h.Logf("%8v %12v %12v %12v", (now - start).Round(10*time.Microsecond), foreground, a.Total.Background-last.Total.Background, b.Total.Foreground-other.Total.Foreground)
		// A reading that is late or takes long covers that much more.
		window := read - looked
		if foreground > budget+max(window-period, 0)+200*time.Microsecond {
			h.Errorf("%v in the foreground within %v, with a budget of %v", foreground, window, time.Duration(budget))
		}
		last, other, looked = a, b, now
	}
	cancel()
	<-p.Done()
}
