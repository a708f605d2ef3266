// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/dom0/host/threads"
	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/internal/clock"
)

// caller is a reservation of threads, or for calls alone, with the callees that
// it pays: one account for both. It implements [keeper.Subject] and
// [keeper.Account].
type caller struct {
	*keeper.SporadicAccount
	threads    *threads.Threads // nil: for calls alone
	k          *keeping
	r          host.Reservation
	foreground bool
	calls      []*callee
	serving    []int // CPUs of callees that are at a call of it
	failed     error // of a look at a callee

	beyond map[*callee]time.Duration // used there beyond the budget
	ended  map[*callee]uint64        // how often the budget ended there in a call
	noted  map[*callee]time.Duration // what the callee's server knows of beyond
}

// openCaller opens the account. For calls alone servers may start later.
func (k *keeping) openCaller(t *threads.Threads, r host.Reservation) (_ *caller, err error) {
	now := clock.Monotonic()
	a := &caller{
		SporadicAccount: keeper.NewAccount(r.Whole(), now), threads: t, k: k, r: r,
		beyond: make(map[*callee]time.Duration), ended: make(map[*callee]uint64), noted: make(map[*callee]time.Duration),
	}
	if err := k.Realtime(); err != nil {
		return nil, fmt.Errorf("reservations that pay for calls: %w: the keeper cannot be a real-time thread: %w: %s", host.ErrNotAllowed, err, keeper.Remedy)
	}
	for _, d := range r.Callees {
		c := k.callees[d.ID]
		if c != nil {
			err = c.renew(d.CPUs)
		} else if c, err = k.openCallee(d.ID, d.CPUs, now); err == nil {
			k.callees[d.ID] = c
		}
		if err == nil {
			a.calls = append(a.calls, c)
			err = c.admit(a)
		}
		if err != nil {
			return nil, errors.Join(err, a.dismiss())
		}
	}
	if err := k.weighParent(); err != nil {
		return nil, errors.Join(err, a.dismiss())
	}
	return a, nil
}

// change gives it another budget, and finds callees again that were recreated.
func (a *caller) change(r host.Reservation, cpus []int) error {
	if a.threads != nil {
		a.threads.Change(r.Period, cpus)
	}
	changed := a.r.Whole() != r.Whole()
	if changed {
		a.Change(r.Whole(), clock.Monotonic())
	}
	a.r.Task, a.r.Servers = r.Task, r.Servers
	for _, d := range r.Callees {
		c := a.k.callees[d.ID]
		if c == nil || c.users[r.ID] == nil {
			return fmt.Errorf("domain %q: %w: reservation %d pays for calls to another", d.ID, host.ErrNotAllowed, r.ID)
		}
		if err := c.renew(d.CPUs); err != nil {
			return err
		}
		c.reapply = c.reapply || changed // its priority may be different
	}
	return nil
}

// Read implements [keeper.Subject].
func (a *caller) Read() (r keeper.Reading, err error) {
	a.serving = a.serving[:0]
	for _, c := range a.calls {
		if c.claim().Serving == a.r.ID {
			a.serving = append(a.serving, c.cpus...)
		}
	}
	if a.threads == nil {
		a.k.Visit(a.serving)
		r = keeper.Reading{Contended: true, Awake: true, Rest: presence} // there is nothing to call
	} else if r, err = a.threads.ReadWith(a.serving); err != nil {
		return r, err
	}
	r.Now, a.failed = clock.Monotonic(), nil
	wide := 0
	for _, c := range a.calls {
		switch err := c.read(r.Now); {
		case cgroup.Gone(err):
			continue // it owes nothing more
		case err != nil:
			a.failed = errors.Join(a.failed, err)
			continue
		case c.book != nil:
			r.Rest = min(r.Rest, minWatch)
		}
		wide = max(wide, len(c.cpus))
		r.Used += c.owed[a.r.ID]
		if !a.foreground {
			a.beyond[c] += c.owed[a.r.ID]
		}
		c.owed[a.r.ID] = 0
	}
	r.CPUs += wide
	return r, nil
}

// Apply implements [keeper.Subject].
func (a *caller) Apply(s keeper.State, reapply bool) (within time.Duration, err error) {
	a.foreground, within = s.Foreground, presence
	if a.threads != nil {
		if within, err = a.threads.Apply(s, reapply); err != nil {
			return 0, err
		}
	}
	err = a.failed
	for _, c := range a.calls {
		err = errors.Join(err, gone(c.decide()))
		if s.Foreground && (!c.foreground || c.owing()) {
			within = min(within, calleeLook)
		}
		if a.beyond[c] != a.noted[c] && c.book != nil {
			a.noted[c] = a.beyond[c]
			err = errors.Join(err, c.book.Note(a.r.ID, a.beyond[c], a.ended[c]))
		}
	}
	return within, err
}

// Restore implements [keeper.Subject].
func (a *caller) Restore() error {
	err := a.dismiss()
	if a.threads != nil {
		err = errors.Join(err, a.threads.Restore())
	}
	return err
}

// dismiss removes the reservation from its callees. The last reservation to
// leave a callee restores it.
func (a *caller) dismiss() error {
	var errs []error
	for len(a.calls) > 0 {
		c := a.calls[0]
		c.dismiss(a.r.ID)
		if len(c.users) > 0 {
			if err := gone(c.decide()); err != nil {
				return err
			}
		} else if err := a.k.lower(c.group); err != nil {
			return err
		} else {
			delete(a.k.callees, c.name)
			errs = append(errs, c.close())
		}
		a.calls = a.calls[1:]
	}
	return errors.Join(append(errs, a.k.weighParent())...)
}

// Close implements [keeper.Subject]. The last reservation to leave a callee
// frees it.
func (a *caller) Close(left bool) (err error) {
	for _, c := range a.calls {
		delete(c.users, a.r.ID)
		if len(c.users) == 0 {
			delete(a.k.callees, c.name)
			err = errors.Join(err, c.close())
		}
	}
	if a.threads != nil {
		err = errors.Join(err, a.threads.Close(left))
	}
	return err
}
