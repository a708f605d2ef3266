// SPDX-License-Identifier: Apache-2.0

package master

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/rtsched"
)

// Lease is how long closed gates and throttles outlive a daemon that does not
// renew them; reviewEvery is how often it renews them and reviews its entries.
const (
	Lease       = 2 * time.Second
	reviewEvery = 500 * time.Millisecond
)

// Renew begins the lease, or renews it. Gates are closed and throttles hold as long as
// it runs, so a master renews it before it serves.
func (m *Master) Renew() error {
	err := m.host.Renew(Lease)
	if errors.Is(err, host.ErrLease) {
		m.health.leaseLost.Add(1)
		m.log.Warn("this master was late: gates and throttles were opened", "lease", Lease, "error", err)
		return nil
	}
	return err
}

// Run renews the lease and reviews the entries until ctx ends. After each review it
// calls beat, if the lease was renewed meanwhile; an error of beat ends Run. The lease
// waits for no review and no request, which may take longer than it holds.
func (m *Master) Run(ctx context.Context, beat func() error) error {
	ctx, end := context.WithCancel(ctx)
	renewed, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		err := m.Renew()
		for ; err == nil; err = m.Renew() {
			select {
			case renewed <- struct{}{}:
			default:
			}
			if clock.Sleep(ctx, reviewEvery) != nil {
				break
			}
		}
		end()
		ended <- err
	}()
	tick := time.NewTicker(reviewEvery)
	defer tick.Stop()
	var dead error
	for ctx.Err() == nil {
		// A failure now may succeed in a moment: xenstored may be restarting,
		// or a domain only half created.
		if err := m.Review(ctx); err != nil && ctx.Err() == nil {
			m.health.reviewErrors.Add(1)
			m.log.Warn("review of the reservations", "error", err)
		}
		select {
		case <-renewed:
			if dead = beat(); dead != nil {
				end()
			}
		default:
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	end()
	return errors.Join(dead, <-ended)
}

// noted logs new notes of the host.
func (m *Master) noted() {
	notes := m.host.Notes()
	for _, n := range notes {
		if !slices.Contains(m.notes, n) {
			m.log.Warn("this host", "note", n)
		}
	}
	m.notes = notes
}

// errAbsent is the problem of an entry whose domain never existed.
var errAbsent = absent{}

type absent struct{}

func (absent) Error() string { return "no domain has that name, number or UUID" }
func (absent) Unwrap() error { return host.ErrNoDomain }

// Review repeats all decisions that depend on things that change: domains may
// have been restarted or moved to other CPUs, a configured domain may have
// come, room may have been made. Changed entries are tested together where they
// are now. Each counts once it is found to fit; those that had room before go
// first. One entry's failure affects no other.
func (m *Master) Review(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noted()
	if len(m.entries) == 0 && len(m.problems) == 0 {
		return m.write() // it may have failed when the last one ended
	}
	all, err := m.host.Domains(ctx)
	if err != nil {
		return err
	}
	m.forget(all)
	known := index(all)
	var errs []error
	var had, waited []*entry // for room
	for _, e := range m.inOrder() {
		if e.told && e.Threads != nil {
			if _, err := m.host.Usage(ctx, e.onHost()); err != nil {
				errs = append(errs, m.ended(ctx, e, err))
				continue
			}
		}
		ran := e.running()
		as, err := m.locate(ctx, known, e)
		// A host that places vCPUs may have moved them since the entry was looked at, and
		// a pin has moved them back: where they are is not where they were admitted.
		if placed := e.placed; m.host.Can().Places {
			e.placed, as = !as, as && !placed
		}
		switch {
		case errors.Is(err, errNone):
			err = errAbsent
		case e.Threads != nil && errors.Is(err, host.ErrNoMembers):
			if e.told {
				continue // the named process has ended, others have not
			}
			err = nil // the host knows whether others are left
		}
		switch {
		case err != nil:
			m.troubled(e, err)
		case !e.Running():
			if e.problem = nil; ran {
				m.log.Info("a domain is gone; its reservation waits for it", "for", e.String(), "reservation", e.ID)
			}
		case as && e.told && e.problem == nil:
			if e.DeviceModel { // which may be another by now
				if err := m.host.Reserve(ctx, e.onHost()); err != nil {
					m.troubled(e, err)
				}
			}
		case e.Waits:
			if !as {
				e.refused = refusal{}
			}
			waited = append(waited, e)
		default:
			// Threads cannot be taken off: they count where they are.
			e.Waits = e.Threads == nil
			had = append(had, e)
		}
	}
	for _, e := range had {
		errs = append(errs, m.again(ctx, e))
	}
	var room uint64
	if len(waited) > 0 {
		room = m.room()
	}
	for _, e := range waited {
		now := refusal{room, e.Number()}
		if e.refused == now {
			continue
		}
		errs = append(errs, m.again(ctx, e))
		// A host that places vCPUs, and one that refuses itself, may have room elsewhere.
		if own := (*host.Refusal)(nil); e.Waits && !e.told && !e.resume && !m.host.Can().Places && errors.As(m.fits(e), &own) {
			e.refused = now
		}
	}
	return errors.Join(append(errs, m.write())...)
}

// again puts an entry in force if it fits where it is now, or out of force.
// Threads that do not fit keep their budget, and nothing else is admitted
// beside them.
func (m *Master) again(ctx context.Context, e *entry) error {
	err := m.fits(e)
	fits := err == nil
	if fits || e.Threads != nil && e.resume {
		e.Waits = false
		err = cmp.Or(m.tell(ctx, e), err)
	}
	switch {
	case err == nil:
		return nil
	case e.Threads != nil:
		if errors.Is(err, host.ErrNoMembers) {
			return m.ended(ctx, e, err)
		}
	case !fits || errors.Is(err, host.ErrNotAdmitted):
		e.Waits = true
		err = errors.Join(err, m.off(ctx, e))
	}
	m.troubled(e, err)
	return nil
}

// off removes a reservation from the host, if it has it.
func (m *Master) off(ctx context.Context, e *entry) error {
	if !e.told && !e.resume {
		return nil
	}
	err := m.host.Unreserve(ctx, e.onHost())
	if err == nil {
		e.told, e.resume, e.granted = false, false, rtsched.Task{}
	}
	return err
}

// ended removes the entry of threads that have ended. It returns any other
// error.
func (m *Master) ended(ctx context.Context, e *entry, err error) error {
	if !errors.Is(err, host.ErrNoMembers) {
		return err
	}
	return m.drop(ctx, e)
}

// troubled records why a reservation is not in force, or why that is unknown.
// It is logged once.
func (m *Master) troubled(e *entry, err error) {
	if e.problem == nil || e.problem.Error() != err.Error() {
		m.log.Warn("a reservation is not in force", "for", e.String(), "name", e.Name, "reservation", e.ID, "error", err)
		m.remember(e, e.ID, err)
	}
	e.problem = err
}
