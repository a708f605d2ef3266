// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/dom0/host"
	dom0threads "github.com/vlibos/vlibos/dom0/host/threads"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/rtsched"
)

var _ host.Paying = (*Host)(nil)

// Pay implements host.Paying by a reservation without threads. Who serves
// says by the ledger when it is done with a call, whatever listens is.
func (p *Host) Pay(ctx context.Context, d host.Domain, r rtsched.Task, _ bool) error {
	if err := p.callable(ctx, d.ID); err != nil {
		return err
	}
	calls := []host.Domain{d}
	return p.threads.Pay(ctx, r, func() (dom0threads.Account, error) {
		a, err := p.openPurse(r, calls, true, clock.Monotonic())
		if err != nil {
			return nil, err
		}
		return a, nil
	}, func() error { return p.payAgain(d, r) })
}

// payAgain changes the account that Pay made, as far as it has to be.
func (p *Host) payAgain(d host.Domain, r rtsched.Task) error {
	c := p.callees[d.ID]
	if c == nil || c.users[r.ID] == nil {
		return fmt.Errorf("domain %q: %w: reservation %d pays for calls to another", d.ID, host.ErrNotAllowed, r.ID)
	}
	err := c.renew(p.layout, d.CPUs)
	if a := c.users[r.ID]; a.budget != r.Budget || a.period != r.Period {
		a.server.Change(r.Budget, r.Period, clock.Monotonic())
		a.budget, a.period = r.Budget, r.Period
		if err == nil {
			err = c.raise(c.foreground) // its priority may be another
		}
	}
	return err
}

// Clear implements host.Paying. A server ends a bill by itself, when the
// call is given up or its channel goes.
func (p *Host) Clear(context.Context, uint32) error { return nil }

// Unpay implements host.Paying. The last one's account gives the domain what
// it had.
func (p *Host) Unpay(ctx context.Context, _ host.Domain, id uint32, _ bool) error {
	return p.threads.Unreserve(ctx, id)
}

// Paid implements host.Paying.
func (p *Host) Paid(ctx context.Context, id uint32) (host.Usage, error) {
	u, err := p.threads.Reserved(ctx, id)
	if errors.Is(err, host.ErrNoMembers) {
		err = fmt.Errorf("reservation %d: %w that it pays for", id, host.ErrNoDomain)
	}
	return u, err
}

// PaysAdopted implements host.Paying: one cgroup has one weight.
func (p *Host) PaysAdopted() bool { return false }
