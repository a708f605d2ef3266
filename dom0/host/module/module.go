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
	"github.com/vlibos/vlibos/dom0/host/keeper"
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

	requests *requests
	disown   func() // ends requests, once the host is owned

	keeper  *keeper.Keeper
	threads *threads.Set

	mu      sync.Mutex
	callees map[uint16]*callee
}

// Open opens the host. Without the module that is [host.ErrNotHere], and so it is where Dom0
// is under another scheduler, unless pool: domains in a cpupool of the module's are enough.
func Open(ctx context.Context, pool bool) (*Host, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	h, err := xenctl.Open()
	if err != nil {
		return nil, err
	}
	p := &Host{h: h, keeper: keeper.New(keeper.Options{Guard: []string{self, "guard", Name}}), callees: make(map[uint16]*callee)}
	p.threads = threads.NewSet(p.keeper)
	if p.m, err = vlib.Open(h); err == nil {
		p.info, err = p.m.Info()
	}
	switch {
	case errors.Is(err, vlib.ErrAbsent):
		err = fmt.Errorf("host %s is %w: %w", Name, host.ErrNotHere, err)
	case err == nil && p.info.CPUs == 0:
		err = fmt.Errorf("host %s is %w: the module's scheduler has no CPU: make a cpupool with sched=\"null\", or boot Xen with sched=vlib", Name, host.ErrNotHere)
	case err == nil && !p.info.Host && !pool:
		err = fmt.Errorf("host %s is %w: Dom0 is not under the module's scheduler: boot Xen with sched=vlib, or choose --host %s for the domains in a cpupool of it", Name, host.ErrNotHere, Name)
	case err == nil:
		p.store, err = xenstore.Open(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	if err := p.keeper.Start(); err != nil {
		return nil, errors.Join(err, p.store.Close(), h.Close())
	}
	// Under this project's scheduler a vCPU stays where it was put.
	p.list = domains.New(h, p.store, true)
	p.requests = &requests{gates: hypervisor{h, p.m}, store: p.store}
	return p, nil
}

// Name implements host.Host.
func (p *Host) Name() string { return Name }

// Own implements host.Host.
func (p *Host) Own() (err error) {
	if p.own, err = domains.Own(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.requests.run(ctx)
	}()
	p.disown = func() {
		cancel()
		<-done
	}
	return nil
}

// Notes implements host.Host: the hypervisor keeps domains' budgets.
func (p *Host) Notes() []string {
	notes := p.keeper.Notes()
	if n := p.requests.note(); n != "" {
		notes = append(notes, n)
	}
	return notes
}

// Close implements host.Host.
func (p *Host) Close() error {
	if p.disown != nil {
		p.disown()
	}
	_, err := p.keeper.Close(false)
	err = errors.Join(err, p.store.Close(), p.h.Close())
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

// Renew implements host.Host. A guard has nothing to undo before there are
// threads on reservations.
func (p *Host) Renew(d time.Duration) error {
	err := p.m.Lease(d)
	idle, failed := p.keeper.Idle(context.Background())
	if failed == nil && !idle {
		failed = p.keeper.Renew(d)
	}
	return errors.Join(err, failed)
}

var _ host.Host = (*Host)(nil)
