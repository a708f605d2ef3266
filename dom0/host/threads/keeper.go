// SPDX-License-Identifier: Apache-2.0

package threads

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/guard"
	"github.com/vlibos/vlibos/dom0/host/loop"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/rtsched"
)

// Keeper keeps all reservations of one host's threads, in one thread that
// starts with the first. All fields but those under mu are that thread's.
type Keeper struct {
	thread loop.Thread
	kept   map[uint32]*kept
	lease  *guard.Lease

	mu     sync.Mutex
	loop   *loop.Loop // nil: there has been no reservation
	closed bool
}

// New returns a keeper. Guard is the command that calls [Guard].
func New(command []string) *Keeper {
	return &Keeper{kept: make(map[uint32]*kept), lease: guard.New(command)}
}

// Reserve makes a reservation, whose account open makes in the keeper's thread when
// all else has been found to be good; or changes the one that is there, whose
// account change changes.
func (k *Keeper) Reserve(ctx context.Context, r host.Reservation, cpus []int, open func() (Account, error), change func(Account) error) error {
	if err := r.Validate(); err != nil {
		return err
	}
	var known bool
	var err error
	failed := k.do(ctx, func() {
		d := k.kept[r.ID]
		if known = d != nil; !known {
			return
		}
		if err = change(d.account); err != nil {
			return
		}
		d.period, d.prio, d.cpus = r.Period, rtsched.Priority(r.Period, loop.Levels), cpus
		k.look(d)
		err = d.err
	})
	if failed != nil || known {
		return errors.Join(failed, err)
	}
	m := members(nobody{})
	switch {
	case r.Threads == nil:
	case r.Threads.TID != 0:
		m, err = openOne(*r.Threads)
	default:
		m, err = openGroup(r)
	}
	if err != nil {
		return err
	}
	failed = k.do(ctx, func() { err = k.add(r, m, cpus, open) })
	if failed != nil {
		return errors.Join(failed, m.release())
	}
	if err == nil && r.Threads != nil {
		// From now on there is somebody to guard.
		if err = k.Renew(ctx, firstLease); err != nil {
			err = errors.Join(err, k.Unreserve(ctx, r.ID))
		}
	}
	return err
}

// firstLease lasts until the master renews it with all others.
const firstLease = 2 * time.Second

// Unreserve ends a reservation. It is none if it has ended.
func (k *Keeper) Unreserve(ctx context.Context, id uint32) (err error) {
	return errors.Join(k.do(ctx, func() {
		if d := k.kept[id]; d != nil {
			err = k.drop(d)
		}
	}), err)
}

// Usage is what was used of a reservation. ErrNoMembers if it has ended.
func (k *Keeper) Usage(ctx context.Context, id uint32) (u host.Usage, err error) {
	failed := k.do(ctx, func() {
		if d := k.kept[id]; d != nil {
			k.look(d)
		}
		d := k.kept[id]
		if d == nil {
			err = fmt.Errorf("reservation %d: %w: its members have ended", id, host.ErrNoMembers)
			return
		}
		u, err = d.account.Usage(clock.Monotonic()), d.err
	})
	return u, errors.Join(failed, err)
}

// Renew renews the lease, as [host.Host]'s does.
func (k *Keeper) Renew(ctx context.Context, d time.Duration) error {
	l := k.running()
	if l == nil {
		return nil
	}
	var singles []string
	var held int
	err := l.Do(ctx, func() {
		held = k.guarded()
		for _, d := range k.kept {
			if d.members.TID != 0 {
				singles = append(singles, note(d.members))
			}
		}
	})
	if err != nil || held == 0 {
		return errors.Join(err, k.lease.Leave(false))
	}
	k.lease.Note(strings.Join(singles, " "))
	lost, err := k.lease.Renew(d)
	if lost {
		err = errors.Join(host.ErrLease, err, l.Do(ctx, k.reapply))
	}
	return err
}

// guarded are the reservations whose threads a guard would make ordinary.
func (k *Keeper) guarded() (n int) {
	for _, d := range k.kept {
		if !d.forCalls() {
			n++
		}
	}
	return n
}

// Do runs a function beside the accounts, in the keeper's thread; if there has
// been no account yet, it does not.
func (k *Keeper) Do(ctx context.Context, f func()) error {
	if l := k.running(); l != nil {
		return l.Do(ctx, f)
	}
	return nil
}

func (k *Keeper) running() *loop.Loop {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil
	}
	return k.loop
}

// Close leaves everybody as they are, for what is left of the lease.
func (k *Keeper) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || k.loop == nil {
		k.closed = true
		return nil
	}
	k.closed = true
	_, err := k.loop.Stop()
	errs := []error{err, k.lease.Leave(k.guarded() > 0)}
	for _, d := range k.kept {
		errs = append(errs, d.account.Leave(), d.who.leave())
	}
	return errors.Join(errs...)
}

// do has the keeper run f, and returns when it has. os.ErrClosed if it will not.
func (k *Keeper) do(ctx context.Context, f func()) error {
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		return fmt.Errorf("keeper of threads: %w", os.ErrClosed)
	}
	if k.loop == nil {
		var err error
		if k.loop, err = loop.Start(k.step); err != nil {
			k.mu.Unlock()
			return err
		}
	}
	l := k.loop
	k.mu.Unlock()
	return l.Do(ctx, f)
}

// step looks at all who are due.
func (k *Keeper) step() time.Duration {
	next := clock.Monotonic() + time.Hour
	for _, d := range k.kept {
		if d.due <= clock.Monotonic() {
			k.look(d)
		}
		next = min(next, d.due)
	}
	return next
}
