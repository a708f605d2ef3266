// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
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

	mu      sync.Mutex
	callees map[uint16]*callee
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
	p := &Host{h: h, threads: threads.New([]string{self, "thread-guard"}), callees: make(map[uint16]*callee)}
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

// Renew implements host.Host.
func (p *Host) Renew(d time.Duration) error {
	return errors.Join(p.m.Lease(d), p.threads.Renew(context.Background(), d))
}

var _ host.Host = (*Host)(nil)
