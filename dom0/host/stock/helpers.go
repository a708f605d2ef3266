// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"context"
	"errors"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/dom0/host/threads"
)

// helpers are what works for a domain in Dom0, on the domain's reservation.
type helpers struct {
	*threads.Threads
	all []host.Helper
}

// help has those helpers of a domain on its reservation that there are now.
func (p *Host) help(ctx context.Context, domid uint16, r host.Reservation) error {
	var want []host.Helper
	var vcpus []int
	if r.DeviceModel {
		want = host.Ours(p.list.Helpers(ctx, domid))
	}
	var err error
	if m := host.Model(want); m != nil {
		if vcpus, err = threads.Affinity(m.Members); err != nil {
			return threads.Absent(err)
		}
	}
	as := false
	failed := p.keeping.Do(ctx, func() {
		if e := p.keeping.Entry(r.ID); e != nil {
			d := p.keeping.of(e)
			if as = host.SameHelpers(d.helpers.all, want); as && want != nil {
				d.helpers.Change(r.Period, vcpus)
			} else if !as {
				err = d.free()
			}
		}
	})
	if err := errors.Join(failed, err); err != nil || as {
		return err
	}
	if want == nil {
		return p.keeping.Forget(ctx, r.ID) // what the guard was to restore is restored
	}
	r.Helpers = want
	return threads.Absent(p.put(ctx, r, vcpus))
}

// put puts helpers on a domain's reservation.
func (p *Host) put(ctx context.Context, r host.Reservation, vcpus []int) error {
	t, err := p.set.Open(r, vcpus)
	if err != nil {
		return err
	}
	on := false
	err = p.keeping.Secure(ctx, r.ID, t.Note())
	if err == nil {
		failed := p.keeping.Do(ctx, func() {
			e := p.keeping.Entry(r.ID)
			if e == nil {
				return
			}
			if err = t.Begin(); err == nil {
				p.keeping.of(e).helpers, on = helpers{t, r.Helpers}, true
				e.Reapply()
				p.keeping.Look(e)
				err = e.Err()
			}
		})
		err = errors.Join(failed, err)
	}
	if !on {
		err = errors.Join(err, t.Restore(), t.Close(false), p.keeping.Forget(ctx, r.ID))
	}
	return err
}

// read adds the helpers' use to that of their domain. They wait for the domain, and it
// for them: what they used together is no proof that they ran at once.
func (h helpers) read(r *keeper.Reading) error {
	if h.Threads == nil {
		return nil
	}
	own, err := h.Threads.Read()
	if errors.Is(err, keeper.ErrGone) {
		return nil // they are taken off when the reservation is made again
	}
	r.Used += own.Used
	r.Back += own.Back
	r.Others += own.Others
	r.CPUs += own.CPUs
	r.Least = own.Least
	return err
}

// free takes the helpers off the domain's reservation.
func (d *domain) free() error {
	h := d.helpers.Threads
	if h == nil {
		return nil
	}
	if err := h.Restore(); err != nil {
		return err
	}
	d.helpers = helpers{}
	return h.Close(false)
}
