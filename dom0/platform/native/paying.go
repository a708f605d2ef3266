// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/dom0/platform"
	dom0threads "github.com/vlibos/vlibos/dom0/platform/threads"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/rtsched"
)

var _ platform.Paying = (*Platform)(nil)

// Pay implements platform.Paying by a reservation without threads. Who serves
// says by the ledger when it is done with a call, whatever listens is.
func (p *Platform) Pay(ctx context.Context, d platform.Domain, r rtsched.Task, _ bool) error {
	if err := p.callable(ctx, d.ID); err != nil {
		return err
	}
	calls := []platform.Domain{d}
	return p.threads.Pay(ctx, r, func() (dom0threads.Account, error) {
		a, err := p.openPurse(r, calls, true, clock.Monotonic())
		if err != nil {
			return nil, err
		}
		return a, nil
	}, func() error { return p.payAgain(d, r) })
}

// payAgain changes the account that Pay made, as far as it has to be.
func (p *Platform) payAgain(d platform.Domain, r rtsched.Task) error {
	c := p.callees[d.ID]
	if c == nil || c.users[r.ID] == nil {
		return fmt.Errorf("domain %q: %w: reservation %d pays for calls to another", d.ID, platform.ErrNotAllowed, r.ID)
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

// Clear implements platform.Paying. A server ends a bill by itself, when the
// call is given up or its channel goes.
func (p *Platform) Clear(context.Context, uint32) error { return nil }

// Unpay implements platform.Paying. The last one's account gives the domain what
// it had.
func (p *Platform) Unpay(ctx context.Context, _ platform.Domain, id uint32, _ bool) error {
	return p.threads.Unreserve(ctx, id)
}

// Paid implements platform.Paying.
func (p *Platform) Paid(ctx context.Context, id uint32) (platform.Usage, error) {
	u, err := p.threads.Reserved(ctx, id)
	if errors.Is(err, platform.ErrNoMembers) {
		err = fmt.Errorf("reservation %d: %w that it pays for", id, platform.ErrNoDomain)
	}
	return u, err
}

// PaysAdopted implements platform.Paying: one cgroup has one weight.
func (p *Platform) PaysAdopted() bool { return false }
