// SPDX-License-Identifier: Apache-2.0

package master

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/platform"
)

// Lease is how long closed gates and throttles outlive a daemon that does not
// renew them; reviewEvery is how often it does, and looks for domains.
const (
	Lease       = 2 * time.Second
	reviewEvery = 500 * time.Millisecond
)

// Run renews the lease and reviews the domains until ctx ends. After each round
// it calls beat, whose error ends it.
func (m *Master) Run(ctx context.Context, beat func() error) error {
	tick := time.NewTicker(reviewEvery)
	defer tick.Stop()
	for {
		switch err := m.platform.Renew(Lease); {
		case errors.Is(err, platform.ErrLease):
			m.health.leaseLost.Add(1)
			m.log.Warn("this master was late: gates and throttles were opened", "lease", Lease, "error", err)
		case err != nil:
			return err
		}
		// What is not possible now may be in a moment: xenstored restarts,
		// a domain is half there.
		if err := m.Review(ctx); err != nil && ctx.Err() == nil {
			m.health.reviewErrors.Add(1)
			m.log.Warn("review of the domains", "error", err)
		}
		if err := beat(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Review finds adopted domains that were started anew, or moved, and puts them
// on their reservations.
func (m *Master) Review(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.reviewHeld(ctx); err != nil {
		return err
	}
	if len(m.adopted)+len(m.configured)+len(m.payers) == 0 {
		return nil
	}
	all, err := m.platform.Domains(ctx)
	if err != nil {
		return err
	}
	here := make(map[string]platform.Domain, len(all))
	for _, d := range all {
		here[d.UUID] = d
	}
	changed := false
	for _, a := range m.adopted {
		d, ok := here[a.UUID]
		if !ok {
			if a.running() {
				m.log.Info("an adopted domain is gone; its reservation waits for it", "domain", a.domain.String(), "uuid", a.UUID)
			}
			a.domain, a.problem = platform.Domain{}, nil
			continue
		}
		if !slices.Equal(d.CPUs, a.CPUs) {
			a.CPUs, changed = d.CPUs, true
		}
		if d.ID == a.domain.ID && a.problem == nil {
			a.domain = d
			continue
		}
		a.domain = d
		m.again(ctx, a)
	}
	m.arrived(ctx, all)
	changed = m.movedPayers(here) || changed
	if changed {
		return m.write()
	}
	return nil
}

// again puts a domain that came back on its reservation. Why that is not
// possible is logged once.
func (m *Master) again(ctx context.Context, a *adoption) {
	err := m.start(ctx, a)
	switch {
	case err == nil:
		m.log.Info("an adopted domain is on its reservation", "domain", a.domain.String(), "uuid", a.UUID, "reservation", a.Reservation)
	case a.problem == nil || a.problem.Error() != err.Error():
		m.log.Warn("an adopted domain runs without its reservation", "domain", a.domain.String(), "uuid", a.UUID, "error", err)
	}
	a.problem = err
}

// Status is an adoption and how its domain fares.
type Status struct {
	Adoption
	Domain string `json:"domain"` // the platform's number or name; empty: it does not run
	platform.Usage
	Problem string `json:"problem,omitempty"`
}

// List returns all adoptions, by number of reservation.
func (m *Master) List(ctx context.Context) ([]Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Status, 0, len(m.adopted))
	for _, a := range m.adopted {
		s := Status{Adoption: a.Adoption, Domain: a.domain.ID}
		if a.problem != nil {
			s.Problem = a.problem.Error()
		}
		if a.running() && a.problem == nil {
			u, err := m.platform.Usage(ctx, a.domain, a.Reservation)
			if errors.Is(err, platform.ErrNoDomain) {
				s.Domain = "" // the next review finds out the same
			} else if err != nil {
				return nil, err
			}
			s.Usage = u
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.Reservation, b.Reservation) })
	return all, nil
}
