// SPDX-License-Identifier: Apache-2.0

package module

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/internal/domains"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// Work implements host.Host: two hypercalls. Of a domain in a pool of another
// scheduler only the CPU time is known.
func (p *Host) Work(ctx context.Context, d host.Domain) (host.Work, error) {
	w := d.Work
	domid, err := domains.Number(d)
	if err != nil {
		return w, err
	}
	w.Helpers = p.list.Helpers(ctx, domid)
	use, err := p.m.Use(domid)
	switch {
	case errors.Is(err, vlib.ErrOtherScheduler):
		return w, nil
	case err != nil:
		return w, refusal(err)
	}
	w.Steal, w.Throttled = &use.Waited, &use.Total.Throttled
	is, err := p.m.Domain(domid)
	switch {
	case errors.Is(err, vlib.ErrUnknown):
		return w, nil
	case err != nil:
		return w, refusal(err)
	case !is.Open:
		w.Gate = host.GateClosed
	case w.Gate == "" && is.Flags&(gating|vlib.Closed) != 0:
		w.Gate = host.GateOpen
	}
	return w, nil
}

// Facts implements host.Host.
func (p *Host) Facts(_ context.Context, d host.Domain) ([]host.Fact, error) {
	return p.list.Facts(d, func(domid uint16, pool xenctl.Pool) (string, []host.Fact, error) {
		scheduler := pool.Scheduler.String()
		if _, err := p.m.Use(domid); err == nil {
			scheduler = "vlib" // Xen's list says null, whose number it has
		}
		facts, err := p.facts(domid)
		return scheduler, facts, err
	})
}

func (p *Host) facts(domid uint16) ([]host.Fact, error) {
	is, err := p.m.Domain(domid)
	if errors.Is(err, vlib.ErrUnknown) {
		return []host.Fact{{Name: "module", Value: "no reservation, no flag and no call names it"}}, nil
	}
	if err != nil {
		return nil, err
	}
	facts := []host.Fact{{Name: "module", Value: fmt.Sprintf("flags: %s; now on reservation %d; taken off a CPU %d times while runnable",
		cmp.Or(is.Flags.String(), "none"), is.Reservation, is.Total.Deschedules)}}
	if is.Flags&gating != 0 || is.Calls > 0 {
		facts = append(facts, host.Fact{Name: "gate", Value: fmt.Sprintf(
			"listening %t, call active %t, %d calls wait, %d done, %d holds, a call of reservation %d was given up and may still run (0: none), guest time stopped for %v",
			is.Listening, is.Active, is.Queued, is.Calls, is.Holds, is.Busy, is.Stopped)})
	}
	return facts, nil
}
