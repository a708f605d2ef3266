// SPDX-License-Identifier: Apache-2.0

package master

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

// Held is a reservation that threads of this system run on, and that pays for
// what they call.
type Held struct {
	host.Members
	Reservation uint32        `json:"reservation"`
	Name        string        `json:"name"` // for people
	Budget      time.Duration `json:"budget_ns"`
	Period      time.Duration `json:"period_ns"`
	CPUs        []int         `json:"cpus"`            // where they run, and those that they may call
	Calls       []string      `json:"calls,omitempty"` // UUIDs
}

func (h Held) task() rtsched.Task {
	return rtsched.Task{ID: h.Reservation, Budget: h.Budget, Period: h.Period}
}

// Claim is what somebody wants a reservation for.
type Claim struct {
	host.Members
	Name   string        `json:"name,omitempty"`
	Budget time.Duration `json:"budget_ns"`
	Period time.Duration `json:"period_ns"`
	Calls  []string      `json:"calls,omitempty"` // domains, by number, name or UUID
}

// held is one with what the master knows of it.
type held struct {
	Held
	problem error // it does not fit where its threads and callees are
}

// ErrNotReserved says that there is no such reservation of threads.
var ErrNotReserved = errors.New("no such reservation of threads")

// Reserve puts threads on a reservation, until Unreserve or until they have
// ended. Errors are those of Adopt, host.ErrNoMembers, and
// host.ErrNotHere where callees cannot be charged to it.
func (m *Master) Reserve(ctx context.Context, c Claim) (Held, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.reserver()
	if err != nil {
		return Held{}, err
	}
	all, err := m.host.Domains(ctx)
	if err != nil {
		return Held{}, err
	}
	h := Held{Members: c.Members, Name: c.Name, Budget: c.Budget, Period: c.Period}
	if h.CPUs, err = r.MemberCPUs(c.Members); err != nil {
		return Held{}, err
	}
	var calls []host.Domain
	for _, ref := range c.Calls {
		d, err := m.callee(all, ref)
		if err != nil {
			return Held{}, err
		}
		if slices.Contains(h.Calls, d.UUID) {
			continue
		}
		calls, h.Calls, h.CPUs = append(calls, d), append(h.Calls, d.UUID), append(h.CPUs, d.CPUs...)
	}
	slices.Sort(h.CPUs)
	h.CPUs = slices.Compact(h.CPUs)
	if h.Reservation, err = m.number(); err != nil {
		return Held{}, err
	}
	if err := m.admit(h.task(), h.CPUs); err != nil {
		return Held{}, fmt.Errorf("reserve for %s: %w", h.Members, err)
	}
	err = enter(m.held, h.Reservation, &held{Held: h}, func() error {
		if err := m.write(); err != nil { // as in adopt
			return err
		}
		return r.Reserve(ctx, ofThreads(h.task(), h.Members, calls))
	})
	if err != nil {
		return Held{}, errors.Join(fmt.Errorf("reserve for %s: %w", h.Members, m.named(err)), m.write())
	}
	m.log.Info("reserved", "for", h.Members.String(), "name", h.Name, "reservation", h.Reservation, "budget", h.Budget, "period", h.Period)
	return h, nil
}

func (m *Master) reserver() (*reserver, error) {
	if m.host.Can().Threads {
		return &reserver{m.host}, nil
	}
	return nil, fmt.Errorf("reservations of threads are %w: host %s cannot charge callees to them", host.ErrNotHere, m.host.Name())
}

// callee is a domain that may be called.
func (m *Master) callee(all []host.Domain, ref string) (host.Domain, error) {
	d, err := find(all, ref)
	switch {
	case err != nil:
		return d, err
	case d.Control:
		return d, fmt.Errorf("calls to domain %s: %w", d, ErrControl)
	case m.of(d) != nil:
		return d, fmt.Errorf("calls to domain %s: %w: it is adopted, and so pays for itself: release it first", d, host.ErrNotAllowed)
	}
	return d, nil
}

// Unreserve makes threads ordinary again.
func (m *Master) Unreserve(ctx context.Context, id uint32) (Held, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.held[id]
	if h == nil {
		return Held{}, fmt.Errorf("reservation %d: %w", id, ErrNotReserved)
	}
	r, err := m.reserver()
	if err == nil {
		err = r.Unreserve(ctx, id)
	}
	if err != nil {
		return Held{}, fmt.Errorf("unreserve %d: %w", id, err)
	}
	return h.Held, m.forget(h)
}

func (m *Master) forget(h *held) error {
	delete(m.held, h.Reservation)
	m.log.Info("the reservation of threads has ended", "for", h.Members.String(), "name", h.Name, "reservation", h.Reservation)
	return m.write()
}

// resume takes over what an earlier master held, as far as it runs.
func (m *Master) resume(ctx context.Context) error {
	if len(m.held) == 0 {
		return nil
	}
	r, err := m.reserver()
	if err != nil {
		m.held = make(map[uint32]*held)
		return m.write()
	}
	all, err := m.host.Domains(ctx)
	if err != nil {
		return err
	}
	for _, h := range m.held {
		var calls []host.Domain
		for _, d := range all {
			if slices.Contains(h.Calls, d.UUID) {
				calls = append(calls, d)
			}
		}
		t := ofThreads(h.task(), h.Members, calls)
		t.Resume = true
		if err := r.Reserve(ctx, t); err != nil {
			m.log.Info("not on its reservation any more", "for", h.Members.String(), "error", err)
			if err := errors.Join(r.Unreserve(ctx, h.Reservation), m.forget(h)); err != nil {
				return err
			}
		}
	}
	return nil
}

// reviewHeld forgets what has ended, and notes where the others are. A
// reservation that no longer fits there keeps its budget, and no other is
// admitted beside it.
func (m *Master) reviewHeld(ctx context.Context, all []host.Domain) error {
	var errs []error
	for _, h := range m.allHeld() {
		r, err := m.reserver()
		if err == nil {
			_, err = r.Reserved(ctx, h.Reservation)
		}
		if errors.Is(err, host.ErrNoMembers) {
			errs = append(errs, m.forget(h))
			continue
		}
		errs = append(errs, err)
		if r == nil {
			continue
		}
		cpus, err := r.MemberCPUs(h.Members)
		if err != nil {
			continue // the one that was named has ended, others have not
		}
		for _, d := range all {
			if slices.Contains(h.Calls, d.UUID) {
				cpus = append(cpus, d.CPUs...)
			}
		}
		slices.Sort(cpus)
		cpus = slices.Compact(cpus)
		if slices.Equal(cpus, h.CPUs) && h.problem == nil {
			continue
		}
		had := h.problem != nil
		h.CPUs, h.problem = cpus, m.admit(h.task(), cpus)
		if h.problem != nil && !had {
			m.log.Warn("a reservation of threads does not fit where they are now", "for", h.Members.String(), "name", h.Name, "error", h.problem)
		}
	}
	return errors.Join(errs...)
}

// allHeld are all, by number.
func (m *Master) allHeld() []*held {
	return inOrder(m.held, func(h *held) uint32 { return h.Reservation })
}

// HeldStatus is a reservation of threads and how it fares.
type HeldStatus struct {
	Held
	host.Usage
	Problem string `json:"problem,omitempty"`
}

// ListHeld returns all reservations of threads, by number. One whose use cannot be
// read has a problem.
func (m *Master) ListHeld(ctx context.Context) []HeldStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]HeldStatus, 0, len(m.held))
	for _, h := range m.allHeld() {
		s := HeldStatus{Held: h.Held}
		r, err := m.reserver()
		if err == nil {
			s.Usage, err = r.Reserved(ctx, h.Reservation)
		}
		if errors.Is(err, host.ErrNoMembers) {
			continue // the next review finds out the same
		}
		if err = errors.Join(err, h.problem); err != nil {
			s.Problem = err.Error()
		}
		all = append(all, s)
	}
	return all
}
