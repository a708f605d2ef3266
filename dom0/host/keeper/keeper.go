// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"sync"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/clock"
)

const (
	// retry is the time until an entry that had an error is looked at again.
	retry = 100 * time.Millisecond
	// firstLease holds until the master renews it with all others.
	firstLease = 2 * time.Second
	// Never is a time that is never reached.
	Never = time.Duration(1<<63 - 1)
)

// Options of [New].
type Options struct {
	// Guard is the command of the guard, which calls [Guard].
	Guard []string
	// Also does other work that is due, and returns when more is; nil: none.
	Also func() time.Duration
	// Files that can be read end the wait for what is due.
	Files []int
	// Renewed is called in the keeper's thread when the lease is renewed, for
	// d; lost says that the guard may have undone everything before. nil: no
	// call.
	Renewed func(d time.Duration, lost bool) error
	// Late is called in the keeper's thread after the assistant has acted for a
	// late keeper; nil: no call.
	Late func()
	// Depleted is called in the keeper's thread when a budget is found to be
	// gone, with how much more than that was used. For measurements; it must
	// not block. nil: nothing.
	Depleted func(id uint32, over time.Duration)
}

// Keeper is the one thread that keeps the budgets of a host. All methods except
// those that take a context, Notes, Renew and Close are for that thread.
type Keeper struct {
	thread
	o       Options
	lease   *Lease
	entries map[uint32]*Entry
	order   schedule
	denials denials
	notes   map[uint32]string // for the guard

	renewing sync.Mutex // a renewal, which says what is noted
	lost     bool       // the lease before the last was over; Renew has to report it

	lateness time.Duration // the most by which a look began late
}

// New returns a keeper without entries.
func New(o Options) *Keeper {
	return &Keeper{
		o: o, lease: NewLease(o.Guard), entries: map[uint32]*Entry{}, denials: denials{due: Never}, notes: map[uint32]string{},
	}
}

// Start starts the thread. Until then the caller acts as the thread.
func (k *Keeper) Start() error { return k.start(k.step, k.o.Files...) }

// Lease returns the keeper's lease.
func (k *Keeper) Lease() *Lease { return k.lease }

// step looks at all entries that are due.
func (k *Keeper) step() time.Duration {
	now := clock.Monotonic()
	if len(k.order) > 0 {
		k.lateness = max(k.lateness, now-k.order[0].due)
	}
	k.back()
	for len(k.order) > 0 && k.order[0].due <= now {
		k.Look(k.order[0])
	}
	if k.denials.due <= now {
		k.deny()
	}
	next := k.denials.due
	if k.o.Also != nil {
		next = min(next, k.o.Also())
	}
	if len(k.order) > 0 {
		next = min(next, k.order[0].due)
	}
	if k.assistant != nil {
		k.assistant.expect(next)
	}
	return next
}

// Look reads the time that an entry has used, charges it, and applies the
// result. An entry that is gone is dropped.
func (k *Keeper) Look(e *Entry) {
	if k.assistant != nil {
		k.assistant.busy()
	}
	wait, err := k.charge(e)
	if errors.Is(err, ErrGone) {
		if err = k.Drop(e); err == nil {
			e.err = ErrGone
			return
		}
	}
	if e.err = err; err != nil {
		wait = retry
		if e.applied { // its budget is not kept: no foreground
			_, failed := e.Apply(State{}, true)
			e.applied = failed != nil
		}
	}
	e.due = clock.Monotonic() + wait
	heap.Fix(&k.order, e.index)
}

// charge returns the time until the next look.
func (k *Keeper) charge(e *Entry) (time.Duration, error) {
	r, err := e.Read()
	if err != nil {
		return 0, err
	}
	s, err := e.Charge(r)
	if err != nil {
		return 0, err
	}
	if e.applied && !s.Foreground && k.o.Depleted != nil {
		k.o.Depleted(e.ID, s.Overrun)
	}
	within, err := e.Apply(s, e.reapply || s.Foreground != e.applied)
	if err != nil {
		e.reapply = true
		return 0, err
	}
	e.applied, e.reapply = s.Foreground, false
	wait, least := s.Next, r.Least
	if least == 0 {
		least = MinLook
	}
	if s.Foreground {
		wait = s.Left / time.Duration(max(r.CPUs, 1))
		if s.Asleep {
			wait = max(wait, r.Rest)
		}
	}
	if within > 0 {
		wait = min(wait, within)
	}
	return max(wait, least), nil
}

// Realtime makes the thread go before all others, if it does not yet and may.
// Not before there is an entry: a process with a real-time thread may enter no
// cgroup that shares real-time.
func (k *Keeper) Realtime() error {
	if !k.realtime && k.ended != nil {
		k.raise()
	}
	return k.refused
}

// Lateness is the most by which a look began too late. For measurements.
func (k *Keeper) Lateness() time.Duration { return k.lateness }

// Visit makes these CPUs account for the threads that run on them now.
func (k *Keeper) Visit(cpus []int) {
	if k.assistant != nil {
		k.assistant.visit(cpus)
	}
}

// Add adds an entry for s, and looks at it. If that fails s is restored and
// closed.
func (k *Keeper) Add(id uint32, s Subject, a Account) error {
	if k.entries[id] != nil {
		// s was not changed yet.
		return errors.Join(fmt.Errorf("reservation %d is there already: release it first: %w", id, host.ErrNotAllowed), s.Close(false))
	}
	e := &Entry{ID: id, Subject: s, Account: a, reapply: true}
	k.entries[id], k.denials.stale = e, true
	heap.Push(&k.order, e)
	k.Look(e)
	if e.err != nil && k.entries[id] == e {
		k.remove(e)
		return errors.Join(e.err, s.Restore(), s.Close(false))
	}
	return e.err
}

// Drop removes an entry and restores its subject. The entry stays if that
// fails.
func (k *Keeper) Drop(e *Entry) error {
	if err := e.Restore(); err != nil {
		e.reapply = true
		return err
	}
	k.remove(e)
	return e.Close(false)
}

func (k *Keeper) remove(e *Entry) {
	heap.Remove(&k.order, e.index)
	delete(k.entries, e.ID)
	delete(k.notes, e.ID)
	k.denials.stale = true
}

// Entry returns the entry of a reservation; nil: there is none.
func (k *Keeper) Entry(id uint32) *Entry { return k.entries[id] }

// Entries returns all entries.
func (k *Keeper) Entries() iter.Seq[*Entry] { return maps.Values(k.entries) }

// Len is the number of entries.
func (k *Keeper) Len() int { return len(k.entries) }

// look calls Look for the entry of a reservation; nil: there is none any more.
func (k *Keeper) look(id uint32) *Entry {
	if e := k.entries[id]; e != nil {
		k.Look(e)
	}
	return k.entries[id]
}

// Change changes an entry, and looks at it. It reports whether there is one.
func (k *Keeper) Change(ctx context.Context, id uint32, change func(*Entry) error) (known bool, err error) {
	failed := k.Do(ctx, func() {
		e := k.look(id)
		if known = e != nil; !known {
			return
		}
		if err = change(e); err == nil {
			e.reapply = true
			k.Look(e)
			err = e.err
		}
	})
	return known, errors.Join(failed, err)
}

// Unreserve ends a reservation. An unknown number is no error.
func (k *Keeper) Unreserve(ctx context.Context, id uint32) (err error) {
	failed := k.Do(ctx, func() {
		if e := k.entries[id]; e != nil {
			err = k.Drop(e)
		}
	})
	return errors.Join(failed, err)
}

// Usage is the time used on a reservation; [ErrGone] if there is none, or if its holder
// is not the one that the caller means.
func (k *Keeper) Usage(ctx context.Context, id uint32, meant func(Subject) bool) (u host.Usage, err error) {
	failed := k.Do(ctx, func() {
		e := k.look(id)
		if e == nil || !meant(e.Subject) {
			err = fmt.Errorf("reservation %d: %w", id, ErrGone)
			return
		}
		u, err = e.Account.Usage(clock.Monotonic()), e.err
	})
	return u, errors.Join(failed, err)
}

// Any is a subject of any kind.
func Any(Subject) bool { return true }

// Notes say, for people, why budgets are kept less well than they could be. A
// keeper that has ended has no notes.
func (k *Keeper) Notes() (notes []string) {
	_ = k.Do(context.Background(), func() {
		if k.refused != nil && len(k.entries) > 0 {
			notes = append(notes, note(k.refused))
		}
	})
	return notes
}

// Close ends all throttles and the thread, and leaves all entries to the guard,
// or to another process, for the rest of the lease. needed says that the guard
// has other changes to undo. Close reports whether this is its first call.
func (k *Keeper) Close(needed bool) (bool, error) {
	_ = k.Do(context.Background(), k.Lift) // else it was closed before
	first, err := k.stop()
	if !first {
		return false, err
	}
	errs := []error{err}
	for e := range k.Entries() {
		errs = append(errs, e.Close(true))
	}
	return true, errors.Join(append(errs, k.lease.Leave(needed || len(k.entries) > 0))...)
}
