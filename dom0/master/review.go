// SPDX-License-Identifier: Apache-2.0

package master

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
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
		switch err := m.host.Renew(Lease); {
		case errors.Is(err, host.ErrLease):
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

// noted logs what the host says that it did not say before: when a domain was
// adopted, which is when a keeper begins, and at each review.
func (m *Master) noted() {
	notes := m.host.Notes()
	for _, n := range notes {
		if !slices.Contains(m.notes, n) {
			m.log.Warn("this host", "note", n)
		}
	}
	m.notes = notes
}

// Review is where all that was decided from what can change is decided again:
// domains were started anew or moved to other CPUs, a domain of the configuration
// came, room was made. One entry's failure is no other's.
func (m *Master) Review(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noted()
	if len(m.adopted)+len(m.configured)+len(m.payers)+len(m.held) == 0 {
		return nil
	}
	all, err := m.host.Domains(ctx)
	if err != nil {
		return err
	}
	// Where threads are cannot be refused, so it is known before others are admitted.
	err = m.reviewHeld(ctx, all)
	m.readmit(ctx, all)
	m.arrived(ctx, all)
	m.reviewPayers(ctx, all)
	return errors.Join(err, m.write())
}

// inOrder are values by number of reservation.
func inOrder[K comparable, V any](all map[K]V, number func(V) uint32) []V {
	return slices.SortedFunc(maps.Values(all), func(a, b V) int { return cmp.Compare(number(a), number(b)) })
}

// readmit finds adopted domains. Those that are not as they were are tested
// together on the CPUs where they are now: they count from when they have been
// found to fit there, those first that had room before.
func (m *Master) readmit(ctx context.Context, all []host.Domain) {
	var again []*adoption
	had := make(map[*adoption]bool)
	for _, a := range inOrder(m.adopted, func(a *adoption) uint32 { return a.Reservation }) {
		d, ok := m.locate(ctx, all, a)
		if !ok {
			if a.running() {
				m.log.Info("an adopted domain is gone; its reservation waits for it", "domain", a.domain.String(), "uuid", a.UUID)
			}
			a.ID, a.domain, a.problem = "", host.Domain{}, nil
			continue
		}
		as := sameDomain(a.domain, d) && slices.Equal(d.CPUs, a.CPUs) && a.problem == nil && d.Err == nil
		a.ID, a.Name, a.domain = d.ID, cmp.Or(d.Name, a.Name), d
		switch {
		case d.Err != nil:
			m.troubled(a, d.Err) // it stays where it was admitted
		case !as:
			had[a] = !a.Waits
			a.CPUs, a.Waits = d.CPUs, true
			again = append(again, a)
		}
	}
	slices.SortStableFunc(again, func(a, b *adoption) int { return cmp.Compare(truth(had[b]), truth(had[a])) })
	for _, a := range again {
		m.again(ctx, a)
	}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// sameDomain reports whether b is the domain that a was, whatever else of it has
// changed.
func sameDomain(a, b host.Domain) bool { return a.ID == b.ID && a.Generation == b.Generation }

// life tells a domain from all others that there ever are, whatever its UUID is.
func life(d host.Domain) string { return fmt.Sprintf("%s, %d", d.ID, d.Generation) }

// locate finds where an adoption's domain is: the one that runs on it, as long as
// that lives, or else the one with its UUID. Toolstacks give a domain another UUID
// when it is renamed, and while it is destroyed.
func (m *Master) locate(ctx context.Context, all []host.Domain, a *adoption) (host.Domain, bool) {
	for _, d := range all {
		if d.ID != a.ID {
			continue
		}
		if a.running() && sameDomain(a.domain, d) {
			return d, true
		}
		if !a.running() { // an earlier master's: the host knows whether it is that one
			if _, err := m.host.Usage(ctx, ofDomain(d, a.task(), a.Class)); !errors.Is(err, host.ErrNoDomain) {
				return d, true
			}
		}
	}
	i := slices.IndexFunc(all, func(d host.Domain) bool { return d.UUID == a.UUID })
	if i < 0 {
		return host.Domain{}, false
	}
	return all[i], true
}

// of is the adoption of a domain: the one that it runs on, or that waits for one
// of its UUID.
func (m *Master) of(d host.Domain) *adoption {
	for _, a := range m.adopted {
		if a.running() && sameDomain(a.domain, d) {
			return a
		}
	}
	if a := m.adopted[d.UUID]; a != nil && !a.running() {
		return a
	}
	return nil
}

// again puts a domain on its reservation if it fits where the domain is now, or
// takes it off.
func (m *Master) again(ctx context.Context, a *adoption) {
	err := m.admit(a.task(), a.CPUs)
	if err == nil {
		a.Waits = false
		err = m.named(m.start(ctx, a))
	}
	if errors.Is(err, host.ErrNotAdmitted) {
		a.Waits = true
		err = errors.Join(err, m.freed(ctx, a.domain, a.Reservation))
	}
	if err == nil {
		m.log.Info("an adopted domain is on its reservation", "domain", a.domain.String(), "uuid", a.UUID, "reservation", a.Reservation)
		a.problem = nil
		return
	}
	m.troubled(a, err)
}

// troubled notes why a domain does not run on its reservation, or why that is not
// known. It is logged once.
func (m *Master) troubled(a *adoption, err error) {
	if a.problem == nil || a.problem.Error() != err.Error() {
		m.log.Warn("an adopted domain runs without its reservation", "domain", a.domain.String(), "uuid", a.UUID, "error", err)
	}
	a.problem = err
}
