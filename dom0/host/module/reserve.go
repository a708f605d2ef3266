// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/threads"
	"github.com/vlibos/vlibos/dom0/internal/domains"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

var _ host.Reserver = (*Host)(nil)

// MemberCPUs implements host.Reserver: Dom0's CPUs are its vCPUs, which stay
// where they were put.
func (p *Host) MemberCPUs(m host.Members) ([]int, error) {
	vcpus, err := threads.Affinity(m)
	if err != nil {
		return nil, err
	}
	var cpus []int
	for _, v := range vcpus {
		state, err := p.h.VCPU(0, v)
		if err != nil {
			return nil, err
		}
		cpus = append(cpus, state.CPU)
	}
	slices.Sort(cpus)
	return slices.Compact(cpus), nil
}

// Reserve implements host.Reserver. The module has the account: it charges
// callees, and is told what the threads use.
func (p *Host) Reserve(ctx context.Context, r host.Reservation) error {
	vcpus, err := threads.Affinity(r.Members)
	if err != nil && !(errors.Is(err, host.ErrNoMembers) && r.Resume) {
		return err
	}
	return p.threads.Reserve(ctx, r, vcpus, func() (threads.Account, error) {
		a, err := p.openPurse(r)
		if err != nil {
			return nil, err
		}
		return a, nil
	})
}

// Unreserve implements host.Reserver.
func (p *Host) Unreserve(ctx context.Context, id uint32) error {
	return p.threads.Unreserve(ctx, id)
}

// Reserved implements host.Reserver.
func (p *Host) Reserved(ctx context.Context, id uint32) (host.Usage, error) {
	return p.threads.Reserved(ctx, id)
}

// purse is the account of a reservation of threads, in the module. It implements
// threads.Account.
type purse struct {
	m      *vlib.Module
	id     uint32
	period time.Duration
	wide   int
	calls  []uint16       // that listen because of it
	listen map[uint16]int // the host's: how many reservations a domain listens for

	own  time.Duration // used by the threads beyond the budget
	last vlib.Reservation
}

var _ threads.Account = (*purse)(nil)

// openPurse makes the reservation, or finds the one that it resumes.
func (p *Host) openPurse(r host.Reservation) (_ *purse, err error) {
	a := &purse{m: p.m, id: r.ID, period: r.Period, listen: p.listen}
	_, err = p.m.Reservation(r.ID)
	switch {
	case err == nil && !r.Resume:
		// A number of the master's that it does not know: a dead one's.
		err = p.m.Unreserve(r.ID)
		if err == nil {
			err = p.m.Reserve(r.ID, r.Budget, r.Period)
		}
	case errors.Is(err, vlib.ErrNoReservation):
		err = p.m.Reserve(r.ID, r.Budget, r.Period)
	}
	if err != nil {
		return nil, refusal(err)
	}
	for _, d := range r.Calls {
		var domid uint16
		if domid, err = domains.Number(d); err == nil {
			err = p.m.Allow(domid, r.ID)
		}
		if err == nil {
			err = a.listens(domid)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("calls to domain %s: %w", d, refusal(err)), a.Close())
		}
		a.wide = max(a.wide, len(d.CPUs))
	}
	return a, nil
}

// listens has a domain listen for calls, if nobody has said that it does or
// parks: so that calls can be paid.
func (a *purse) listens(domid uint16) error {
	state, err := a.m.Domain(domid)
	switch {
	case errors.Is(err, vlib.ErrUnknown):
	case err != nil:
		return err
	case state.Flags&(vlib.Listens|vlib.Parks) != 0 && a.listen[domid] == 0:
		return nil // somebody else's affair
	}
	if err := a.m.SetDomain(domid, vlib.Listens, 0); err != nil {
		return err
	}
	a.listen[domid]++
	a.calls = append(a.calls, domid)
	return nil
}

// fineness is how many looks there are in a budget that threads and callees use
// in turn. The module takes a charge for the last that was used without a pause,
// and so has it back late by what callees used in between.
const fineness = 10

// Charge implements threads.Account.
func (a *purse) Charge(_ time.Duration, u threads.Use) (threads.State, error) {
	if !u.Foreground {
		a.own += u.Own
		u.Own = 0
	}
	for u.Own > 0 { // the module takes no more than a period at once
		part := min(u.Own, a.period)
		if err := a.m.Charge(a.id, part); err != nil {
			return threads.State{}, err
		}
		u.Own -= part
	}
	r, err := a.m.Reservation(a.id)
	if err != nil {
		return threads.State{}, err
	}
	a.last = r
	s := threads.State{Left: r.Left, Next: r.Next, Wide: a.wide}
	if a.wide > 0 && r.Left > 0 {
		s.Look = r.Budget / fineness
	}
	return s, nil
}

// Where implements threads.Account: the module accounts for callees by itself.
func (a *purse) Where() []int { return nil }

// Usage implements threads.Account.
func (a *purse) Usage(time.Duration) host.Usage {
	t := a.last.Total
	return host.Usage{
		Foreground: t.Foreground, Background: t.Background + a.own, Throttled: t.Throttled,
		Left: a.last.Left, Next: a.last.Next,
	}
}

// Close implements threads.Account.
func (a *purse) Close() error {
	err := a.m.Unreserve(a.id)
	if errors.Is(err, vlib.ErrNoReservation) {
		err = nil
	}
	for _, domid := range a.calls {
		if a.listen[domid]--; a.listen[domid] > 0 {
			continue
		}
		delete(a.listen, domid)
		if failed := a.m.SetDomain(domid, 0, vlib.Listens); !errors.Is(failed, vlib.ErrNoDomain) {
			err = errors.Join(err, failed)
		}
	}
	a.calls = nil
	return err
}

// Leave implements threads.Account: the module keeps it.
func (a *purse) Leave() error { return nil }
