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

// Configure makes the reservations that a configuration wants, and ends those that
// an earlier one wanted. One whose domain does not run is an entry that waits for
// the domain. One that does not fit is an error, and nothing is changed; but which
// domains run when a master starts is no reason to refuse its first configuration:
// what does not fit waits then, and so does what waited before. Reservations that
// are made, changed or ended by a command stay so until the next Configure.
func (m *Master) Configure(ctx context.Context, want []api.Reservation) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	all, err := m.host.Domains(ctx)
	if err != nil {
		return err
	}
	what := m.without(func(e *entry) bool { return e.Configured })
	var next []*entry
	for _, w := range want {
		w.Configured = true
		was := m.match(all, w)
		if was != nil && what.entries[was.ID] != nil && what.entries[was.ID] != was {
			was = nil // another of this configuration
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
		if e.Configured && what.entries[e.ID] == nil {
			errs = append(errs, m.end(ctx, e))
		}
	}
	// What becomes less makes room for what becomes more.
	slices.SortStableFunc(next, func(a, b *entry) int { return cmp.Compare(m.growth(a), m.growth(b)) })
	for _, e := range next {
		switch was := m.entries[e.ID]; {
		case e.Waits:
			errs = append(errs, m.wait(ctx, e, was))
		case !e.Running():
			m.entries[e.ID] = e
		default:
			if err := m.enter(ctx, e); err != nil {
				errs = append(errs, err)
				m.entries[e.ID], e.problem = e, err
			}
		}
	}
	return errors.Join(append(errs, m.write())...)
}

// without is a table to think with, of all entries but some.
func (m *Master) without(some func(*entry) bool) *table {
	t := &table{m.host, make(map[uint32]*entry)}
	for id, e := range m.entries {
		if !some(e) {
			t.entries[id] = e
		}
	}
	return t
}

// mayPass reports whether an error may pass by itself.
func mayPass(e *entry, err error) bool {
	unknown := slices.ContainsFunc(e.Domains(), func(d *host.Domain) bool { return d.Err != nil })
	return unknown || errors.Is(err, host.ErrNotAdmitted) || errors.Is(err, host.ErrNoDomain)
}

// wait enters a reservation that cannot be had now, and takes its domain off
// whatever it was on.
func (m *Master) wait(ctx context.Context, e, was *entry) error {
	err := e.problem
	m.entries[e.ID] = e
	if e.problem = nil; was != nil {
		e.problem = was.problem // so that what is known is not logged again
	}
	m.troubled(e, err)
	return m.off(ctx, e)
}

// growth is by how much of a CPU a reservation is more than it was.
func (m *Master) growth(e *entry) float64 {
	if was := m.entries[e.ID]; was != nil {
		return e.Share() - was.Share()
	}
	return e.Share()
}

// Try tells whether reservations would fit beside those that there are, together,
// and changes nothing. A domain that is not there is tried on all CPUs on which any
// domain may run: on which of them it will run is not known. The first reservation
// that does not fit is the error.
func (m *Master) Try(ctx context.Context, want []api.Reservation) (api.Trial, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := api.Trial{Absent: []string{}, CPUs: []int{}}
	all, err := m.host.Domains(ctx)
	if err != nil {
		return t, err
	}
	cpus, err := m.cpus(all)
	if err != nil {
		return t, err
	}
	what := m.without(func(*entry) bool { return false })
	for _, w := range want {
		for _, d := range w.Domains() {
			if _, err := find(all, d.Name); errors.Is(err, errNone) && len(cpus) > 0 && d.Name != "" {
				all = append(all, host.Domain{ID: d.Name, UUID: d.Name, Name: d.Name, CPUs: cpus})
				t.Absent, t.CPUs = append(t.Absent, d.Name), cpus
			}
		}
		e, err := what.resolve(ctx, all, w, what.match(all, w), &m.table)
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

// cpus are those on which any domain may run; where there is no domain, the
// host's, if it says which.
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
