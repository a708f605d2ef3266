// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	dom0threads "github.com/vlibos/vlibos/dom0/host/threads"
	"github.com/vlibos/vlibos/internal/clock"
)

var _ host.Reserver = (*Host)(nil)

// MemberCPUs implements host.Reserver.
func (p *Host) MemberCPUs(m host.Members) ([]int, error) { return dom0threads.Affinity(m) }

// Reserve implements host.Reserver. Callees are charged by the ledger that
// their server keeps: it must run, in the cgroup of the domain.
func (p *Host) Reserve(ctx context.Context, r host.Reservation) error {
	for _, d := range r.Calls {
		if err := p.callable(ctx, d.ID); err != nil {
			return err
		}
	}
	cpus, err := p.MemberCPUs(r.Members)
	if errors.Is(err, host.ErrNoMembers) && r.Resume {
		cpus, err = p.CPUs() // those that are left of it
	}
	if err != nil {
		return err
	}
	return p.threads.Reserve(ctx, r, cpus, func() (dom0threads.Account, error) {
		a, err := p.openPurse(r.Task, r.Calls, false, clock.Monotonic())
		if err != nil {
			return nil, err
		}
		return a, nil
	})
}

// callable reports why calls to a domain cannot be paid, or nil.
func (p *Host) callable(ctx context.Context, name string) error {
	if err := p.exists(name); err != nil {
		return err
	}
	var adopted bool
	if err := p.keeper.Do(ctx, func() { adopted = p.keeper.kept[name] != nil }); err != nil {
		return err
	}
	if adopted {
		return fmt.Errorf("domain %q: %w: it is adopted, and so pays for itself: release it first", name, host.ErrNotAllowed)
	}
	return nil
}

// Unreserve implements host.Reserver.
func (p *Host) Unreserve(ctx context.Context, id uint32) error {
	return p.threads.Unreserve(ctx, id)
}

// Reserved implements host.Reserver.
func (p *Host) Reserved(ctx context.Context, id uint32) (host.Usage, error) {
	return p.threads.Reserved(ctx, id)
}

// renewCallees lets those pay who may for as long as the lease.
func (p *Host) renewCallees(d time.Duration) error {
	return p.threads.Do(context.Background(), func() {
		for _, c := range p.callees {
			c.lease = d
			if c.book != nil {
				_ = c.book.Renew(d) // if the file is gone, the next look finds out
			}
		}
	})
}

// reapplyCallees sets the weights of callees anew, after somebody else has.
func (p *Host) reapplyCallees() error {
	return p.threads.Do(context.Background(), func() {
		for _, c := range p.callees {
			_ = c.raise(c.foreground) // who is gone has no weight
		}
	})
}

// called reports whether reservations may pay for calls to a domain.
func (p *Host) called(ctx context.Context, name string) (called bool, err error) {
	err = p.threads.Do(ctx, func() { called = p.callees[name] != nil })
	return called, err
}
