// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	dom0threads "github.com/vlibos/vlibos/dom0/host/threads"
	"github.com/vlibos/vlibos/internal/cgroup"
)

// purse is the account of a reservation of threads, or for calls alone, with the
// callees that it pays. It implements dom0threads.Account, and is the threads' keeper's.
type purse struct {
	joint
	id     uint32
	budget time.Duration
	period time.Duration
	host   *Host
	calls  []*callee
	where  []int
	own    time.Duration             // used by the threads themselves
	beyond map[*callee]time.Duration // used there beyond the budget
	ended  map[*callee]uint64        // how often the budget ended there in a call
	noted  map[*callee]time.Duration
}

var _ dom0threads.Account = (*purse)(nil)

// openPurse makes the account, with callees that are adopted by nobody. patient
// says that their servers may come later.
func (p *Host) openPurse(r host.Reservation, patient bool, now time.Duration) (_ *purse, err error) {
	a := &purse{
		joint: newJoint(r.Task, now), id: r.ID, budget: r.Budget, period: r.Period, host: p,
		beyond: make(map[*callee]time.Duration), ended: make(map[*callee]uint64), noted: make(map[*callee]time.Duration),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	for _, d := range r.Callees {
		c := p.callees[d.ID]
		if c != nil {
			err = c.renew(p.layout, d.CPUs)
		} else if c, err = p.openCallee(d.ID, d.CPUs, now); err == nil {
			p.callees[d.ID] = c
		}
		if err != nil {
			return nil, err
		}
		a.calls = append(a.calls, c)
		if err := c.admit(r.ID, a, patient); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Charge implements dom0threads.Account.
func (a *purse) Charge(now time.Duration, u dom0threads.Use) (dom0threads.State, error) {
	var errs []error
	var owed time.Duration
	rest := presence // there is nobody to call
	for _, c := range a.calls {
		if err := c.read(now); err != nil {
			if !cgroup.Gone(err) {
				errs = append(errs, err)
			}
			continue // who is gone owes nothing more
		}
		if c.serving == a.id {
			rest = 0
		} else if c.book != nil {
			rest = min(rest, minWatch)
		}
		owed += c.owed[a.id]
		if !a.foreground {
			a.beyond[c] += c.owed[a.id]
		}
		c.owed[a.id] = 0
	}
	a.own += u.Own
	if !u.Foreground {
		a.back += u.Own
		u.Own = 0
	}
	had, charged := a.foreground, a.front
	left := a.server.Left(now)
	a.look(now, u.Own+owed, u.Others)
	if had && !a.foreground && a.host.depleted != nil {
		a.host.depleted(a.id, a.front-charged-left)
	}
	s := dom0threads.State{Left: a.server.Left(now), Next: max(a.server.Next()-now, 0), Rest: rest}
	for _, c := range a.calls {
		if err := c.decide(); err != nil && !cgroup.Gone(err) {
			errs = append(errs, err)
		}
		s.Wide = max(s.Wide, len(c.cpus))
		if !c.foreground || c.owing() {
			s.Look = calleeLook
		}
		if a.beyond[c] != a.noted[c] && c.book != nil {
			a.noted[c] = a.beyond[c]
			errs = append(errs, c.book.Note(a.id, a.beyond[c], a.ended[c]))
		}
	}
	if s.Left == 0 {
		s.Look = 0
	}
	return s, errors.Join(errs...)
}

// descheduled notes that the budget has ended in a call.
func (a *purse) descheduled(c *callee) { a.ended[c]++ }

// Where implements dom0threads.Account.
func (a *purse) Where() []int {
	a.where = a.where[:0]
	for _, c := range a.calls {
		if c.claim().Serving == a.id {
			a.where = append(a.where, c.cpus...)
		}
	}
	return a.where
}

// Usage implements dom0threads.Account.
func (a *purse) Usage(now time.Duration) host.Usage {
	return host.Usage{
		Foreground: a.front, Background: a.back,
		Left: a.server.Left(now), Next: max(a.server.Next()-now, 0),
	}
}

// Close implements dom0threads.Account.
func (a *purse) Close() error {
	var errs []error
	for _, c := range a.calls {
		c.dismiss(a.id)
		if len(c.users) > 0 {
			if err := c.decide(); err != nil && !cgroup.Gone(err) {
				errs = append(errs, err)
			}
			continue
		}
		delete(a.host.callees, c.name)
		errs = append(errs, c.close())
	}
	a.calls = nil
	return errors.Join(errs...)
}

// Leave implements dom0threads.Account. The last to leave a callee frees it.
func (a *purse) Leave() error {
	var errs []error
	for _, c := range a.calls {
		delete(c.users, a.id)
		if len(c.users) == 0 {
			delete(a.host.callees, c.name)
			errs = append(errs, c.leave())
		}
	}
	return errors.Join(errs...)
}
