// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/dom0/host/threads"
	"github.com/vlibos/vlibos/dom0/internal/domains"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// Can implements host.Host.
func (p *Host) Can() host.Abilities {
	return host.Abilities{Threads: true, Calls: true, Both: true, Places: true, DeviceModels: true, Throttle: true, Stuck: true}
}

// MemberCPUs implements host.Host: Dom0's CPUs are its vCPUs, which do not
// move.
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

// Reserve implements host.Host. The module has the account: it charges domains
// by itself; the host reports the threads' use to it.
func (p *Host) Reserve(ctx context.Context, r host.Reservation) error {
	if r.Threads == nil {
		return p.reserveFor(ctx, r)
	}
	vcpus, err := threads.Affinity(*r.Threads)
	if err != nil && !(errors.Is(err, host.ErrNoMembers) && r.Resume) {
		return err
	}
	return p.threads.Reserve(ctx, r, vcpus, func(t *threads.Threads) (keeper.Subject, keeper.Account, error) {
		a, err := p.openAccount(t, r)
		return a, a, err
	}, func(e *keeper.Entry) error {
		a := e.Subject.(*threadAccount)
		a.Change(r.Period, vcpus)
		return a.change(r)
	})
}

// reserveFor is Reserve for a domain, or for calls alone.
func (p *Host) reserveFor(ctx context.Context, r host.Reservation) error {
	_, unknown := p.m.Reservation(r.ID)
	err := p.reserve(r)
	if err != nil || r.Domain == nil {
		return err
	}
	if err = p.help(ctx, r); err != nil && errors.Is(unknown, vlib.ErrNoReservation) {
		err = errors.Join(err, p.Unreserve(ctx, r))
	}
	return err
}

// reserve makes a reservation, or changes it, and sets its domains. If that
// fails a new reservation is removed. One that is not admitted where its vCPUs
// are now is reserved once more, so that it fits there, or the reason is known.
func (p *Host) reserve(r host.Reservation) error {
	was, err := p.m.Reservation(r.ID)
	known := err == nil
	if err != nil && !errors.Is(err, vlib.ErrNoReservation) {
		return refusal(err)
	}
	if !known || was.Budget != r.Budget || was.Period != r.Period || was.Servers != r.Number() || was.Unadmitted > 0 {
		if err := p.m.ReserveEach(r.ID, r.Number(), r.Budget, r.Period); err != nil {
			return refusal(err)
		}
	}
	err = nil
	if r.Domain != nil {
		err = p.adopt(*r.Domain, r)
	}
	if err == nil {
		err = p.allow(r)
	}
	if err != nil && !known {
		err = errors.Join(err, p.m.Unreserve(r.ID), p.dismiss(r))
	}
	return refusal(err)
}

// adopt puts a domain on a reservation. The module would accept one that another
// scheduler drives, and keep no budget for it until it comes to a pool of the module's.
func (p *Host) adopt(d host.Domain, r host.Reservation) error {
	domid, err := domains.Number(d)
	if err != nil {
		return err
	}
	if _, err := p.m.Use(domid); errors.Is(err, vlib.ErrOtherScheduler) {
		return fmt.Errorf("%w: %w: move domain %s to a cpupool of the module's scheduler", host.ErrNotAdmitted, vlib.ErrOtherScheduler, d)
	}
	if err := p.m.Adopt(domid, r.ID); err != nil {
		return err
	}
	if r.Class == host.Critical {
		return p.m.SetDomain(domid, vlib.Critical, 0)
	}
	return p.m.SetDomain(domid, 0, vlib.Critical)
}

// Unreserve implements host.Host.
func (p *Host) Unreserve(ctx context.Context, r host.Reservation) error {
	err := p.keeper.Unreserve(ctx, r.ID)
	if r.Threads != nil || err != nil {
		return err
	}
	return p.end(r)
}

func (p *Host) end(r host.Reservation) error {
	err := p.m.Unreserve(r.ID)
	if errors.Is(err, vlib.ErrNoReservation) {
		err = nil
	}
	if err == nil && r.Domain != nil && r.Domain.ID != "" {
		var domid uint16
		if domid, err = domains.Number(*r.Domain); err == nil {
			err = absent(p.m.SetDomain(domid, 0, vlib.Critical))
		}
	}
	return errors.Join(err, p.dismiss(r))
}

// Usage implements host.Host.
func (p *Host) Usage(ctx context.Context, r host.Reservation) (host.Usage, error) {
	if r.Threads != nil {
		u, err := p.keeper.Usage(ctx, r.ID, keeper.Any)
		return u, threads.Ended(err)
	}
	is, err := p.m.Reservation(r.ID)
	switch {
	case errors.Is(err, vlib.ErrNoReservation):
		return host.Usage{}, fmt.Errorf("%w: %w", host.ErrNoDomain, err)
	case err != nil:
		return host.Usage{}, err
	case r.Domain != nil && strconv.Itoa(is.Domain) != r.Domain.ID:
		return host.Usage{}, fmt.Errorf("%w: domain %s runs on reservation %d no longer", host.ErrNoDomain, r.Domain.ID, r.ID)
	}
	u := usage(is)
	if u.Beside, err = p.helped(ctx, r.ID, &u); err != nil {
		return u, err
	}
	return p.parts(u, is)
}

// parts adds the servers of a reservation with several.
func (p *Host) parts(u host.Usage, r vlib.Reservation) (host.Usage, error) {
	for i := range r.Servers {
		if r.Servers == 1 {
			break
		}
		s, err := p.m.Server(r.ID, i)
		if err != nil {
			return u, err
		}
		u.Servers = append(u.Servers, host.Server{
			CPU: s.CPU, Unadmitted: s.Unadmitted > 0, Foreground: s.Total.Foreground, Background: s.Total.Background, Left: s.Left,
		})
	}
	return u, nil
}

func usage(r vlib.Reservation) host.Usage {
	return host.Usage{
		Foreground: r.Total.Foreground, Background: r.Total.Background, Throttled: r.Total.Throttled,
		Left: r.Left, Next: r.Next,
	}
}

// Clear implements host.Host.
func (p *Host) Clear(_ context.Context, id uint32) error {
	if err := p.m.FinishAll(id); !errors.Is(err, vlib.ErrNoCall) {
		return err
	}
	return nil
}

// Stuck implements host.Host. An active call has a caller. Without a call, the
// gate of a domain that parks is open only for a call that was given up, or
// while a caller holds it.
func (p *Host) Stuck(_ context.Context, d host.Domain) (bool, error) {
	domid, err := domains.Number(d)
	if err != nil {
		return false, err
	}
	state, err := p.m.Domain(domid)
	switch {
	case errors.Is(err, vlib.ErrUnknown), errors.Is(err, vlib.ErrNoDomain), errors.Is(err, vlib.ErrDying):
		return false, nil
	case err != nil:
		return false, err
	case state.Flags&gating == 0 || state.Holds > 0:
		return false, nil
	}
	waited := state.Queued > 0 || state.Flags&vlib.Parks != 0 && state.Open
	return waited && !state.Active, nil
}

// A stop is not shorter than leastStop, since it may end late by [vlib.Info]'s Late, and
// there is at most one in each shortestThrottle.
const (
	leastStop        = 300 * time.Microsecond
	shortestThrottle = time.Millisecond
)

// Throttle implements host.Host: the module does it. It divides the idle time into stops,
// as many as fit: what runs between two long ones fills the bus without control.
func (p *Host) Throttle(_ context.Context, cpu int, period, idle time.Duration) error {
	n := stops(period, idle)
	return p.m.Throttle(cpu, period/n, idle/n)
}

func stops(period, idle time.Duration) time.Duration {
	return max(1, min(idle/leastStop, period/shortestThrottle))
}

// refusal translates the module's refusals into those of hosts.
func refusal(err error) error {
	var n *vlib.NotAdmitted
	switch {
	case errors.As(err, &n):
		return &host.Refusal{CPU: n.CPU, VCPU: n.Server, Miss: rtsched.Miss{Task: rtsched.Task{ID: n.Misses}, Response: n.Response}}
	case errors.Is(err, vlib.ErrNoDomain):
		return fmt.Errorf("%w: %w", host.ErrNoDomain, err)
	case errors.Is(err, vlib.ErrServers):
		return fmt.Errorf("%w: %w", host.ErrNotAdmitted, err)
	}
	return err
}
