// SPDX-License-Identifier: Apache-2.0

package master

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/vlibos/vlibos/dom0/platform"
)

// Configure makes the adoptions that a configuration wants, of the domains that
// there are now and of those that come later, and releases those that an
// earlier one wanted. What does not fit is an error, and nothing is changed.
// What is adopted or released by hand stays so until the next Configure. The
// payments are reservations that pay for calls, tested together with the rest.
func (m *Master) Configure(ctx context.Context, wishes []Wish, payments ...Payment) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	all, err := m.platform.Domains(ctx)
	if err != nil {
		return err
	}
	what := m.whatIf(func(a *adoption) bool { return !a.Configured })
	clear(what.payers)
	var fits []*adoption
	for _, w := range wishes {
		a, err := what.wanted(all, w)
		if errors.Is(err, platform.ErrNoDomain) {
			continue // until it comes
		}
		if err != nil {
			return err
		}
		if was := m.adopted[a.UUID]; was != nil {
			a.Reservation = was.Reservation
		}
		a.Configured = true
		what.adopted[a.UUID] = a
		fits = append(fits, a)
	}
	payers, err := what.payersFor(all, payments, m.payers)
	if err != nil {
		return err
	}
	m.configured, m.waived = wishes, make(map[string]bool)
	errs := []error{m.dropPayers(ctx, all, payments, payers)}
	for _, a := range m.adopted {
		if a.Configured && !slices.ContainsFunc(fits, func(f *adoption) bool { return f.UUID == a.UUID }) && !a.meant(wishes) {
			errs = append(errs, m.release(ctx, a))
		}
	}
	// What becomes less makes room for what becomes more.
	slices.SortStableFunc(fits, func(a, b *adoption) int { return cmp.Compare(m.growth(a), m.growth(b)) })
	for _, a := range fits {
		errs = append(errs, m.adopt(ctx, a))
	}
	for _, p := range payers {
		errs = append(errs, m.pay(ctx, p))
	}
	return errors.Join(errs...)
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
	d := platform.Domain{ID: a.UUID, UUID: a.UUID, Name: a.Name}
	return slices.ContainsFunc(wishes, func(w Wish) bool {
		_, err := find([]platform.Domain{d}, w.Domain)
		return err == nil
	})
}

// arrived adopts configured domains that came since.
func (m *Master) arrived(ctx context.Context, all []platform.Domain) {
	for _, w := range m.configured {
		d, err := find(all, w.Domain)
		if err != nil || m.adopted[d.UUID] != nil || m.waived[d.UUID] {
			continue
		}
		a, err := m.wanted(all, w)
		if err == nil {
			a.Configured = true
			err = m.adopt(ctx, a)
		}
		if err != nil {
			m.waived[d.UUID] = true // until the next configuration
			m.log.Warn("a configured domain is not adopted", "domain", d.String(), "uuid", d.UUID, "error", err)
		}
	}
}
