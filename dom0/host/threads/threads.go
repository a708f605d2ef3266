// SPDX-License-Identifier: Apache-2.0

package threads

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/rtsched"
)

const (
	// minLook is the shortest time between two looks at a reservation.
	minLook = 50 * time.Microsecond
	// presence is the longest: it checks that the members exist and have their
	// policy.
	presence = time.Second
)

// Set is the reservations of one host on which threads run.
type Set struct {
	keeper *keeper.Keeper
	all    map[*Threads]bool // the keeper's thread's
}

// NewSet returns the set of a keeper.
func NewSet(k *keeper.Keeper) *Set { return &Set{keeper: k, all: make(map[*Threads]bool)} }

// Reserve puts threads, which may run on these CPUs, on a reservation. begin
// makes the entry, in the keeper's thread, after all other checks; it returns
// the subject that has the threads, and restores them. If the reservation
// exists, change changes it.
func (s *Set) Reserve(ctx context.Context, r host.Reservation, cpus []int,
	begin func(*Threads) (keeper.Subject, keeper.Account, error), change func(*keeper.Entry) error) error {
	known, err := s.keeper.Change(ctx, r.ID, change)
	if known || err != nil {
		return err
	}
	t, err := s.Open(r, cpus)
	if err != nil {
		return err
	}
	free := func() error { return errors.Join(t.Restore(), t.Close(false), s.keeper.Forget(ctx, r.ID)) }
	if err := s.keeper.Secure(ctx, r.ID, t.Note()); err != nil {
		return errors.Join(err, free())
	}
	failed := s.keeper.Do(ctx, func() {
		var subject keeper.Subject
		var a keeper.Account
		if err = t.Begin(); err == nil {
			subject, a, err = begin(t)
		}
		if err != nil {
			err = errors.Join(err, t.Restore(), t.Close(false))
			return
		}
		err = s.keeper.Add(r.ID, subject, a)
	})
	switch {
	case failed != nil:
		return errors.Join(failed, free())
	case err != nil:
		return errors.Join(err, s.keeper.Forget(ctx, r.ID))
	}
	return nil
}

// Change changes the period, and the CPUs on which the threads may run.
func (t *Threads) Change(period time.Duration, cpus []int) { t.period, t.cpus = period, cpus }

// Ended translates the end of a reservation of threads into the error of hosts.
func Ended(err error) error {
	if errors.Is(err, keeper.ErrGone) {
		err = fmt.Errorf("%w: its members have ended: %w", host.ErrNoMembers, err)
	}
	return err
}

// Threads are the members of one reservation. It implements [keeper.Subject].
type Threads struct {
	set     *Set
	id      uint32
	meant   host.Members
	period  time.Duration
	cpus    []int // of members, by this system's numbers
	members members
	begun   bool // it is in the set

	tids    []int         // as they were last listed
	visits  []int         // CPUs that are visited at a look
	used    time.Duration // reading up to which it is charged
	beside  time.Duration // time that others had used at the last look
	policy  int           // that its threads are to have
	has     map[int]int   // the policy that each has been given
	had     policies      // the policies before
	renewed time.Duration // when all were last given theirs
}

// Open prepares threads of a reservation, or the helpers of its domain, to be on it.
// They may run on these CPUs.
func (s *Set) Open(r host.Reservation, cpus []int) (_ *Threads, err error) {
	t := &Threads{set: s, id: r.ID, period: r.Period, cpus: cpus, has: make(map[int]int)}
	if t.members, err = openMembers(r); err == nil && r.Threads != nil {
		t.meant = *r.Threads
	}
	if err != nil {
		return nil, err
	}
	t.had = policiesOf(t.members, r.Resume)
	if g, ok := t.members.(recorder); ok {
		if r.Resume {
			maps.Copy(t.had, g.remembered())
		}
		g.remember(t.had)
	}
	return t, nil
}

// Begin starts to count the members' time, in the keeper's thread.
func (t *Threads) Begin() (err error) {
	if err := t.set.keeper.Realtime(); err != nil {
		return fmt.Errorf("threads on reservations: %w: the keeper cannot be a real-time thread: %w: %s", host.ErrNotAllowed, err, keeper.Remedy)
	}
	t.set.keeper.Visit(t.cpus)
	if t.used, err = t.members.usage(); err == nil {
		t.set.all[t], t.begun = true, true
		t.beside = t.others()
	}
	return err
}

// Used is the CPU time of the members themselves, as of the last look; of a
// process since it is on the reservation.
func (t *Threads) Used() time.Duration { return t.used }

// Read implements [keeper.Subject].
func (t *Threads) Read() (keeper.Reading, error) { return t.ReadWith(nil) }

// ReadWith is Read while callees run on those CPUs for the reservation.
func (t *Threads) ReadWith(callees []int) (r keeper.Reading, err error) {
	t.tids, err = t.members.threads()
	switch {
	case cgroup.Gone(err), err == nil && len(t.tids) == 0:
		return r, keeper.ErrGone
	case err != nil:
		return r, err
	}
	if t.policy != background || len(callees) > 0 {
		t.visits = append(append(t.visits[:0], t.cpus...), callees...)
		slices.Sort(t.visits)
		t.visits = slices.Compact(t.visits)
		t.set.keeper.Visit(t.visits)
	}
	used, err := t.members.usage()
	if err != nil {
		return r, err
	}
	own, beside := max(used-t.used, 0), t.others()
	r = keeper.Reading{
		Now: clock.Monotonic(), Others: max(beside-t.beside, 0), Contended: true,
		Awake: true, // a caller waits for its callee: one after the other
		CPUs:  min(len(t.tids), len(t.cpus)), Least: minLook,
	}
	if t.policy == background {
		r.Back = own
	} else {
		r.Used = own
	}
	t.used, t.beside = used, beside
	return r, nil
}

// others is the time of threads that run before these on their CPUs. A
// reservation that ends takes its use with it, which makes one look's others 0.
func (t *Threads) others() (sum time.Duration) {
	for o := range t.set.all {
		if o == t || o.period > t.period || !slices.ContainsFunc(o.cpus, func(c int) bool { return slices.Contains(t.cpus, c) }) {
			continue
		}
		if used, err := o.members.usage(); err == nil {
			sum += used
		}
	}
	return sum
}

// Apply implements [keeper.Subject]: it gives threads the policy that they are
// to have. A number may be another thread's by now, and a thread may have been
// given another policy: from time to time every thread's policy is set again.
func (t *Threads) Apply(s keeper.State, reapply bool) (time.Duration, error) {
	t.policy = background
	if s.Foreground && len(t.tids) <= MaxThreads {
		t.policy = rtsched.Priority(t.period, keeper.Levels)
	}
	if now := clock.Monotonic(); reapply || now-t.renewed >= presence {
		t.forget()
		t.renewed = now
	}
	for _, tid := range t.tids {
		if had, ok := t.has[tid]; ok && had == t.policy {
			continue
		}
		if t.policy > background {
			t.has[tid] = unknown // so that its watch ends whatever comes
			t.set.keeper.Watch(tid, unix.SCHED_IDLE)
		}
		err := setPolicy(tid, t.policy)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return 0, fmt.Errorf("thread %d: %w: its cgroup may give no real-time (cpu.rt_runtime_us)", tid, err)
		}
		t.has[tid] = t.policy
		if t.policy == background {
			t.set.keeper.Unwatch(tid)
		}
	}
	return presence, nil
}

// forget forgets which policies its threads have, and ends the watch over those that
// are its no longer.
func (t *Threads) forget() {
	for tid := range t.has {
		t.has[tid] = left
	}
	for _, tid := range t.tids {
		if _, ok := t.has[tid]; ok {
			t.has[tid] = unknown
		}
	}
	for tid, policy := range t.has {
		if policy == left {
			t.set.keeper.Unwatch(tid)
			delete(t.has, tid)
		}
	}
}

// lower makes real-time threads background and ends the watch over all: what a thread
// is given afterwards, the assistant does not change.
func (t *Threads) lower(all []int) {
	for _, tid := range all {
		if policy, ok := t.has[tid]; ok && policy != background {
			_ = setPolicy(tid, background) // it has ended, or is given its policy back
		}
	}
	for tid := range t.has {
		t.set.keeper.Unwatch(tid)
	}
	clear(t.has)
}

// Restore implements [keeper.Subject]: members get back their policies and
// cgroups.
func (t *Threads) Restore() error {
	all, _ := t.members.threads() // if they cannot be listed, they have ended
	t.lower(all)
	return errors.Join(t.had.giveBack(all), t.members.release())
}

// Close implements [keeper.Subject].
func (t *Threads) Close(bool) error {
	if t.begun { // else it is not the keeper's thread's yet
		delete(t.set.all, t)
	}
	return t.members.close()
}
