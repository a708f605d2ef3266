// SPDX-License-Identifier: Apache-2.0

package master

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/vlibos/vlibos/dom0/host"
)

// Configure makes the adoptions that a configuration wants, of the domains that
// there are now and of those that come later, and releases those that an
// earlier one wanted. What does not fit is an error, and nothing is changed; but
// the first configuration of a master must not depend on which domains happen to
// run, so what does not fit then waits until it does, as what waited before.
// What is adopted or released by hand stays so until the next Configure. The
// payments are reservations that pay for calls, tested together with the rest.
func (m *Master) Configure(ctx context.Context, wishes []Wish, payments ...Payment) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	all, err := m.host.Domains(ctx)
	if err != nil {
		return err
	}
	what := m.whatIf(func(a *adoption) bool { return !a.Configured })
	clear(what.payers)
	var fits []*adoption
	for _, w := range wishes {
		a, err := what.adoptionFor(all, w)
		if errors.Is(err, host.ErrNoDomain) {
			continue // until it comes
		}
		if err != nil {
			return err
		}
		was := m.of(a.domain)
		if was != nil {
			a.UUID, a.Reservation = was.UUID, was.Reservation
		}
		a.Configured = true
		if err := what.fits(a); err != nil {
			if m.begun && !(was != nil && was.Waits && was.task() == a.task()) {
				return err
			}
			a.Waits, a.problem = true, err
		}
		what.adopted[a.UUID] = a
		fits = append(fits, a)
	}
	payers, err := what.payersFor(all, payments, m.payers, !m.begun)
	if err != nil {
		return err
	}
	m.begun, m.configured, m.waived = true, wishes, make(map[string]bool)
	errs := []error{m.dropPayers(ctx, all, payments, payers)}
	for _, a := range m.adopted {
		if a.Configured && !slices.ContainsFunc(fits, func(f *adoption) bool { return f.UUID == a.UUID }) && !a.meant(wishes) {
			errs = append(errs, m.release(ctx, a))
		}
	}
	// What becomes less makes room for what becomes more.
	slices.SortStableFunc(fits, func(a, b *adoption) int { return cmp.Compare(m.growth(a), m.growth(b)) })
	for _, a := range fits {
		if a.Waits {
			errs = append(errs, m.wait(ctx, a))
			continue
		}
		errs = append(errs, m.adopt(ctx, a))
	}
	for _, p := range payers {
		if !p.Waits {
			errs = append(errs, m.pay(ctx, p))
			continue
		}
		m.payers[p.Key] = p
		m.log.Warn("pays for no calls yet", "key", p.Key, "domain", p.domain.String(), "error", p.problem)
	}
	m.arrived(ctx, all)
	return errors.Join(append(errs, m.write())...)
}

// wait enters an adoption that does not fit, and takes its domain off whatever
// it was on.
func (m *Master) wait(ctx context.Context, a *adoption) error {
	err := a.problem
	if was := m.adopted[a.UUID]; was != nil {
		a.problem = was.problem // so that what is known is not logged again
	}
	m.adopted[a.UUID] = a
	m.troubled(a, err)
	return m.freed(ctx, a.domain, a.Reservation)
}

// growth is by how much of a CPU an adoption is more than what was.
func (m *Master) growth(a *adoption) float64 {
	if was := m.adopted[a.UUID]; was != nil {
		return a.share() - was.share()
	}
	return a.share()
}

// meant reports whether one of the wishes is for the adoption's domain.
func (a *adoption) meant(wishes []Wish) bool {
	d := host.Domain{ID: a.UUID, UUID: a.UUID, Name: a.Name}
	return slices.ContainsFunc(wishes, func(w Wish) bool {
		_, err := find([]host.Domain{d}, w.Domain)
		return err == nil
	})
}

// arrived makes adoptions of configured domains that came since, and notes which
// wishes are none, and why.
func (m *Master) arrived(ctx context.Context, all []host.Domain) {
	known := make(map[string]string, len(m.unmet))
	for _, s := range m.unmet {
		known[s.Name] = s.Problem
	}
	m.unmet = nil
	for _, w := range m.configured {
		d, err := find(all, w.Domain)
		switch {
		case err == nil && (m.of(d) != nil || m.waived[d.UUID] || m.waived[life(d)]):
			continue
		case err == nil:
			var a *adoption
			if a, err = m.adoptionFor(all, w); err == nil {
				a.Configured, a.Waits = true, true
				m.adopted[a.UUID] = a
				m.again(ctx, a)
				continue
			}
		case m.stopped(w):
			continue // it is listed
		}
		s := Status{Adoption: Adoption{Name: w.Domain, Budget: w.Budget, Period: w.Period, Class: cmp.Or(w.Class, Batch), Configured: true}, Absent: true, Problem: absent}
		if !errors.Is(err, errNone) {
			s.Problem = err.Error()
		}
		if known[s.Name] != s.Problem {
			m.log.Warn("a configured domain is not adopted", "domain", w.Domain, "because", s.Problem)
		}
		m.unmet = append(m.unmet, s)
	}
}

// absent is the problem of a wish that means no domain.
const absent = "no domain has that name, number or UUID"

// stopped reports whether a wish means an adoption whose domain does not run.
func (m *Master) stopped(w Wish) bool {
	for _, a := range m.adopted {
		if a.meant([]Wish{w}) {
			return true
		}
	}
	return false
}
