// SPDX-License-Identifier: Apache-2.0

package master

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
)

// Configure makes the reservations of a configuration, and ends those of an
// earlier one. A reservation whose domain does not run is an entry that waits
// for the domain. A reservation that does not fit is an error, and nothing is
// changed. But the domains that happen to run when a master starts are no
// reason to refuse its first configuration: reservations that do not fit wait
// then, as do those that waited before. Reservations that a command made,
// changed or ended stay so until the next Configure.
func (m *Master) Configure(ctx context.Context, want []api.Reservation) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, err := m.host.Domains(ctx)
	if err != nil {
		return err
	}
	all := index(found)
	what := m.without(func(e *entry) bool { return e.Origin == api.FromFile })
	var next []*entry
	for _, w := range want {
		w.Origin = api.FromFile
		was := m.match(all, w)
		if was != nil && what.entries[was.ID] != nil && what.entries[was.ID] != was {
			was = nil // it belongs to another entry of this configuration
		}
		e, err := what.resolve(ctx, all, w, was, &m.table)
		if errors.Is(err, errNone) {
			err = errAbsent
		}
		if err == nil || err == errAbsent {
			err = cmp.Or(what.fits(e), err)
		}
		if err != nil {
			waited := was != nil && was.Waits && was.Task == e.Task
			if !mayPass(e, err) || m.configured && !waited && !errors.Is(err, host.ErrNoDomain) {
				return fmt.Errorf("reserve for %s: %w", e, err)
			}
			e.Waits, e.problem = true, err
		}
		what.entries[e.ID] = e
		next = append(next, e)
	}
	m.configured = true
	var errs []error
	for _, e := range m.inOrder() {
		if e.Origin == api.FromFile && what.entries[e.ID] == nil {
			errs = append(errs, m.drop(ctx, e))
		}
	}
	// Reservations that shrink make room for those that grow.
	slices.SortStableFunc(next, func(a, b *entry) int { return cmp.Compare(m.growth(a), m.growth(b)) })
	waits := func(_, _ *entry, err error) bool { return errors.Is(err, host.ErrNotAdmitted) }
	failed, unsaved := m.enter(ctx, next, errors.Join(errs...) != nil, waits)
	for i, e := range next {
		if failed[i] == nil {
			continue
		}
		errs = append(errs, fmt.Errorf("reserve for %s: %w", e, failed[i]))
		if was := m.entries[e.ID]; was != e {
			m.entries[e.ID], e.problem = e, failed[i]
			if was != nil {
				e.granted = was.granted
			}
		}
	}
	return errors.Join(append(errs, unsaved, m.write())...)
}

// without is a copy of the table without some entries, for planning.
func (m *Master) without(some func(*entry) bool) *table {
	t := newTable(m.host)
	for id, e := range m.entries {
		if !some(e) {
			t.entries[id] = e
		}
	}
	return &t
}

// copied is a copy of the table and its entries.
func (m *Master) copied() *table {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.without(func(*entry) bool { return false })
	for id, e := range t.entries {
		c := *e
		c.Reservation = e.Copy()
		t.entries[id] = &c
	}
	return t
}

// mayPass reports whether an error may disappear by itself.
func mayPass(e *entry, err error) bool {
	unknown := slices.ContainsFunc(e.Domains(), func(d *host.Domain) bool { return d.Err != nil })
	return unknown || errors.Is(err, host.ErrNotAdmitted) || errors.Is(err, host.ErrNoDomain)
}

// wait enters a reservation that cannot be had now, and takes its domain off
// its earlier one.
func (m *Master) wait(ctx context.Context, e, was *entry) error {
	err := e.problem
	m.entries[e.ID] = e
	if e.problem = nil; was != nil {
		e.problem = was.problem // so that a known problem is not logged again
	}
	m.troubled(e, err)
	return m.off(ctx, e)
}

// growth is the increase of a reservation as a share of a CPU.
func (m *Master) growth(e *entry) float64 {
	if was := m.entries[e.ID]; was != nil {
		return e.Share() - was.Share()
	}
	return e.Share()
}

// Try checks whether reservations would fit beside the existing ones, all
// together, and changes nothing. A domain that does not exist yet is tried on
// its reservation's CPUs, or else on all on which any domain may run. The first
// reservation that does not fit is the error.
func (m *Master) Try(ctx context.Context, want []api.Reservation) (api.Trial, error) {
	// A trial may be long, and the master has a lease to renew: it is made on a copy.
	what := m.copied()
	t := api.Trial{Absent: []string{}, CPUs: []int{}}
	all, err := m.host.Domains(ctx)
	if err != nil {
		return t, err
	}
	cpus, err := m.cpus(all)
	if err != nil {
		return t, err
	}
	known := index(all)
	for _, w := range want {
		if err := ctx.Err(); err != nil {
			return t, err
		}
		for _, d := range w.Domains() {
			if _, err := known.find(d.Name); errors.Is(err, errNone) && len(cpus) > 0 && d.Name != "" {
				on := cpus
				if len(w.CPUs) > 0 {
					on = w.CPUs
				}
				known.add(host.Domain{ID: d.Name, UUID: d.Name, Name: cmp.Or(w.Name, d.Name), CPUs: on})
				t.Absent, t.CPUs = append(t.Absent, d.Name), on
			}
		}
		was := what.earlier(known, w, what.expected())
		if w.Origin == api.FromXAPI && was != nil && was.Origin != api.FromXAPI {
			continue // it keeps that
		}
		e, err := what.resolve(ctx, known, w, was, what)
		if err == nil {
			err = what.fits(e)
		}
		if err != nil {
			return t, fmt.Errorf("reserve for %s: %w", e, err)
		}
		what.entries[e.ID] = e
	}
	return t, nil
}

// cpus are the CPUs on which any domain may run; without domains the host's
// CPUs, if it reports them.
func (m *Master) cpus(all []host.Domain) (cpus []int, err error) {
	for _, d := range all {
		cpus = append(cpus, d.CPUs...)
	}
	if len(cpus) == 0 {
		if cpus, err = m.host.CPUs(); err != nil && !errors.Is(err, host.ErrNotHere) {
			return nil, err
		}
	}
	slices.Sort(cpus)
	return slices.Compact(cpus), nil
}
