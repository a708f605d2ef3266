// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/threads"
	"github.com/vlibos/vlibos/dom0/internal/domains"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
	"github.com/vlibos/vlibos/xenctl/xenstore"
)

// Name of this host.
const Name = "module"

// Host is this host. It implements [host.Host].
type Host struct {
	h     *xenctl.Handle
	m     *vlib.Module
	store *xenstore.Client
	list  *domains.List
	info  vlib.Info
	own   *os.File // the host's lock, once it is owned

	threads *threads.Keeper
	listen  map[uint16]int // reservations of threads that a domain listens for; the keeper's
}

// Open opens the host. Without the module that is [host.ErrNotHere].
func Open(ctx context.Context) (*Host, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	h, err := xenctl.Open()
	if err != nil {
		return nil, err
	}
	p := &Host{h: h, threads: threads.New([]string{self, "thread-guard"}), listen: make(map[uint16]int)}
	if p.m, err = vlib.Open(h); err == nil {
		p.info, err = p.m.Info()
	}
	switch {
	case errors.Is(err, vlib.ErrAbsent):
		err = fmt.Errorf("host %s is %w: %w", Name, host.ErrNotHere, err)
	case err == nil && !p.info.Host:
		err = fmt.Errorf("host %s is %w: Dom0 is not under the module's scheduler: boot Xen with sched=vlib", Name, host.ErrNotHere)
	case err == nil:
		p.store, err = xenstore.Open(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	// Under this project's scheduler a vCPU stays where it was put.
	p.list = domains.New(h, p.store, func(_ uint16, v xenctl.VCPU) ([]int, error) { return []int{v.CPU}, nil })
	return p, nil
}

// Name implements host.Host.
func (p *Host) Name() string { return Name }

// Own implements host.Host.
func (p *Host) Own() (err error) {
	p.own, err = domains.Own()
	return err
}

// Notes implements host.Host: the hypervisor keeps budgets, and threads
// are refused where the keeper cannot be real-time.
func (p *Host) Notes() []string { return nil }

// Close implements host.Host.
func (p *Host) Close() error {
	err := errors.Join(p.threads.Close(), p.store.Close(), p.h.Close())
	if p.own != nil {
		err = errors.Join(err, p.own.Close())
	}
	return err
}

// Floor implements host.Host: the module keeps it by itself.
func (p *Host) Floor() (rtsched.Task, time.Duration) {
	return rtsched.Task{Budget: p.info.FloorBudget, Period: p.info.FloorPeriod}, p.info.Late
}

// Domains implements host.Host.
func (p *Host) Domains(ctx context.Context) ([]host.Domain, error) {
	return p.list.All(ctx)
}

// Adopt implements host.Host.
func (p *Host) Adopt(_ context.Context, d host.Domain, r rtsched.Task) error {
	domid, err := domains.Number(d)
	if err != nil {
		return err
	}
	return p.reserve(r, func() error { return p.m.Adopt(domid, r.ID) })
}

// reserve makes a reservation, or changes it, and has use do what it is for. One
// that it made goes again if that fails.
func (p *Host) reserve(r rtsched.Task, use func() error) error {
	was, err := p.m.Reservation(r.ID)
	known := err == nil
	if err != nil && !errors.Is(err, vlib.ErrNoReservation) {
		return refusal(err)
	}
	if !known || was.Budget != r.Budget || was.Period != r.Period {
		if err := p.m.Reserve(r.ID, r.Budget, r.Period); err != nil {
			return refusal(err)
		}
	}
	err = use()
	if err != nil && !known {
		err = errors.Join(err, p.m.Unreserve(r.ID))
	}
	return refusal(err)
}

// Release implements host.Host.
func (p *Host) Release(ctx context.Context, d host.Domain, id uint32) error {
	var spared error
	if d.ID != "" {
		spared = p.Spare(ctx, d, id, false)
	}
	if errors.Is(spared, vlib.ErrNoDomain) {
		spared = nil
	}
	err := p.m.Unreserve(id)
	if errors.Is(err, vlib.ErrNoReservation) {
		err = nil
	}
	return errors.Join(err, spared)
}

// Usage implements host.Host.
func (p *Host) Usage(_ context.Context, d host.Domain, id uint32) (host.Usage, error) {
	r, err := p.reservation(id)
	if err != nil {
		return host.Usage{}, err
	}
	if strconv.Itoa(r.Domain) != d.ID {
		return host.Usage{}, fmt.Errorf("%w: domain %s runs on reservation %d no longer", host.ErrNoDomain, d.ID, id)
	}
	return usage(r), nil
}

func (p *Host) reservation(id uint32) (vlib.Reservation, error) {
	r, err := p.m.Reservation(id)
	if errors.Is(err, vlib.ErrNoReservation) {
		err = fmt.Errorf("%w: %w", host.ErrNoDomain, err)
	}
	return r, err
}

func usage(r vlib.Reservation) host.Usage {
	return host.Usage{
		Foreground: r.Total.Foreground, Background: r.Total.Background, Throttled: r.Total.Throttled,
		Left: r.Left, Next: r.Next,
	}
}

// Renew implements host.Host.
func (p *Host) Renew(d time.Duration) error {
	return errors.Join(p.m.Lease(d), p.threads.Renew(context.Background(), d))
}

// refusal is the module's refusal in the hosts' words.
func refusal(err error) error {
	var n *vlib.NotAdmitted
	switch {
	case errors.As(err, &n):
		return &host.Refusal{CPU: n.CPU, Miss: rtsched.Miss{Task: rtsched.Task{ID: n.Misses}, Response: n.Response}}
	case errors.Is(err, vlib.ErrNoDomain):
		return fmt.Errorf("%w: %w", host.ErrNoDomain, err)
	}
	return err
}

var _ host.Host = (*Host)(nil)
