// SPDX-License-Identifier: Apache-2.0

package master

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

// Domains returns all domains with their work. The host's cost grows with their
// number; nothing else waits for it.
func (m *Master) Domains(ctx context.Context) ([]api.Domain, error) {
	found, err := m.host.Domains(ctx)
	if err != nil {
		return nil, err
	}
	type key struct {
		id         string
		generation uint64
	}
	holds := make(map[key]uint32)
	m.mu.Lock()
	for _, e := range m.entries {
		if e.Domain != nil && e.running() {
			holds[key{e.Domain.ID, e.Domain.Generation}] = e.ID
		}
	}
	m.mu.Unlock()
	all := make([]api.Domain, 0, len(found))
	for _, d := range found {
		if w, ok := m.work(ctx, d); ok {
			w.Reservation = holds[key{d.ID, d.Generation}]
			all = append(all, w)
		}
	}
	return all, ctx.Err()
}

// work is a domain with its work; ok is false if it is gone.
func (m *Master) work(ctx context.Context, d host.Domain) (w api.Domain, ok bool) {
	w = api.Domain{Domain: d, Work: d.Work, CPUs: d.CPUs, Control: d.Control}
	now, err := m.host.Work(ctx, d)
	if errors.Is(err, host.ErrNoDomain) {
		return w, false
	}
	if err == nil {
		w.Work = now
	}
	if err = cmp.Or(err, d.Err); err != nil {
		w.Problem = err.Error()
	}
	return w, true
}

// Describe returns what the master and the host know of a domain, given by number, name
// or UUID. A domain that does not run is described if it has a reservation.
func (m *Master) Describe(ctx context.Context, ref string) (api.Description, error) {
	all, err := m.host.Domains(ctx)
	if err != nil {
		return api.Description{}, err
	}
	t, known := m.copied(), index(all) // the arithmetic may be long
	e := t.match(known, api.Reservation{Reservation: host.Domain{Name: ref}.On(rtsched.Task{})})
	var d host.Domain
	switch {
	case e != nil && e.running():
		d = *e.Domain
	case e != nil:
		d = host.Domain{UUID: e.Domain.UUID, Name: cmp.Or(e.Name, e.Domain.Name)}
	default:
		if d, err = t.find(known, ref); err != nil {
			return api.Description{}, err
		}
	}
	s := api.Description{Domain: api.Domain{Domain: d, CPUs: d.CPUs, Control: d.Control}, Admission: t.admission(d, e)}
	if d.ID != "" {
		s.Domain, _ = m.work(ctx, d)
		if s.Facts, err = m.host.Facts(ctx, d); err != nil {
			s.Problem = err.Error()
		}
	}
	if e != nil {
		s.Reservation = e.ID
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.inOrder() {
		if e != nil && r.ID == e.ID || r.calls(d) {
			if status, ok, _ := m.status(ctx, r); ok { // the problem is in it
				s.Reservations = append(s.Reservations, status)
			}
		}
	}
	s.Problems = slices.Clone(m.problems[cmp.Or(d.UUID, d.Name)])
	return s, nil
}

// admission is the arithmetic of an entry, or of a domain without one.
func (t *table) admission(d host.Domain, e *entry) (all []api.Admission) {
	_, late := t.host.Floor()
	asked, each, cpus := rtsched.Task{Period: api.TrialPeriod}, 1, d.CPUs
	if d.Control {
		return nil // it is on the floor
	}
	if e != nil {
		asked, each, cpus = e.Task, e.Each(), e.CPUs
	}
	for _, l := range t.loads(cpus, asked.ID) {
		others := l.tasks
		slices.SortFunc(others, func(a, b rtsched.Task) int { return cmp.Or(cmp.Compare(a.Period, b.Period), cmp.Compare(a.ID, b.ID)) })
		a := api.Admission{CPUs: l.cpus, Asked: asked, Servers: each, Late: late, Others: len(others)}
		if each == 1 {
			a.Most = max(rtsched.Most(others, asked, late), 0)
		}
		if asked.Budget > 0 {
			mates := slices.Repeat([]rtsched.Task{asked}, each-1)
			a.Response = rtsched.Response(slices.Concat(others, mates), asked, late)
			if err := t.admit(asked, each, l.cpus[:1]); err != nil {
				a.Refusal = err.Error()
			}
		}
		for _, o := range others[:min(len(others), api.MostBeside)] {
			a.Beside = append(a.Beside, api.Beside{Task: o, Name: t.name(o.ID)})
		}
		all = append(all, a)
	}
	return all
}

// mostProblems is how many problems of one domain are remembered.
const mostProblems = 16

// remember adds a problem to those of an entry's domains.
func (m *Master) remember(e *entry, id uint32, err error) {
	for _, d := range e.Domains() {
		key := cmp.Or(d.UUID, d.Name)
		all := append(m.problems[key], api.Problem{At: time.Now(), Reservation: id, Text: err.Error()})
		m.problems[key] = all[max(len(all)-mostProblems, 0):]
	}
}

// forget removes what is known of domains that are gone and have no reservation.
func (m *Master) forget(all []host.Domain) {
	known := make(map[string]bool)
	for _, d := range all {
		known[cmp.Or(d.UUID, d.Name)] = true
	}
	for _, e := range m.entries {
		for _, d := range e.Domains() {
			known[cmp.Or(d.UUID, d.Name)] = true
		}
	}
	maps.DeleteFunc(m.problems, func(key string, _ []api.Problem) bool { return !known[key] })
	maps.DeleteFunc(m.last, func(id string, e *entry) bool { return m.entries[e.ID] != e || e.Domain.ID != id })
}
