// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/dom0/host/threads"
	"github.com/vlibos/vlibos/dom0/internal/domains"
)

// helpers are what works for a domain in Dom0, on the domain's reservation. It
// implements [keeper.Subject] and [keeper.Account]. The module charges the domain.
type helpers struct {
	threadAccount
	all []host.Helper
}

// Restore implements [keeper.Subject]: the reservation stays the domain's.
func (h *helpers) Restore() error { return h.Threads.Restore() }

// help has those helpers of a domain on its reservation that there are now.
func (p *Host) help(ctx context.Context, r host.Reservation) error {
	var want []host.Helper
	if r.DeviceModel {
		domid, err := domains.Number(*r.Domain)
		if err != nil {
			return err
		}
		want = host.Ours(p.list.Helpers(ctx, domid))
	}
	has, err := p.helped(ctx, r.ID, nil)
	if err == nil && has != nil && !host.SameHelpers(has, want) {
		err = p.keeper.Unreserve(ctx, r.ID)
	}
	if err != nil || want == nil {
		return err
	}
	vcpus, err := threads.Affinity(host.Model(want).Members)
	if err != nil {
		return threads.Absent(err)
	}
	r.Helpers, r.Callees = want, nil
	return threads.Absent(p.threads.Reserve(ctx, r, vcpus, func(t *threads.Threads) (keeper.Subject, keeper.Account, error) {
		h := &helpers{threadAccount{Threads: t, p: p, r: r, wide: max(len(r.Domain.CPUs), 1)}, want}
		return h, h, nil
	}, func(e *keeper.Entry) error {
		h := e.Subject.(*helpers)
		h.r, h.wide = r, max(len(r.Domain.CPUs), 1)
		h.Change(r.Period, vcpus)
		return nil
	}))
}

// helped returns what is on the reservation of a domain beside the domain. It adds to u,
// unless that is nil, what they used that the module does not know: beyond the budget.
func (p *Host) helped(ctx context.Context, id uint32, u *host.Usage) (all []host.Helper, err error) {
	failed := p.keeper.Do(ctx, func() {
		e := p.keeper.Entry(id)
		if e == nil {
			return
		}
		h, ok := e.Subject.(*helpers)
		if !ok {
			err = fmt.Errorf("reservation %d: %w: threads are on it", id, host.ErrNotAllowed)
			return
		}
		all, err = slices.Clone(h.all), e.Err()
		if u != nil {
			u.Background += h.own
		}
	})
	return all, errors.Join(failed, err)
}
