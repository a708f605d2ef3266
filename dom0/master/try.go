// SPDX-License-Identifier: Apache-2.0

package master

import (
	"context"
	"errors"
	"slices"

	"github.com/vlibos/vlibos/dom0/host"
)

// Trial is what was assumed for wishes that would fit.
type Trial struct {
	Absent []string `json:"absent"` // domains that are not there yet
	CPUs   []int    `json:"cpus"`   // on which those were tried; none if there are none
}

// Try tells whether all wishes together would fit beside what is adopted, and
// changes nothing. A domain that is not there is tried on all CPUs on which any
// domain may run: on which of them it will run is not known. The first that does
// not fit is the error.
func (m *Master) Try(ctx context.Context, wishes []Wish) (Trial, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := Trial{Absent: []string{}, CPUs: []int{}}
	all, err := m.host.Domains(ctx)
	if err != nil {
		return t, err
	}
	cpus, err := m.cpus(all)
	if err != nil {
		return t, err
	}
	what := m.whatIf(func(*adoption) bool { return true })
	for _, w := range wishes {
		if _, err := find(all, w.Domain); errors.Is(err, host.ErrNoDomain) && len(cpus) > 0 && w.Domain != "" && !named(all, w.Domain) {
			all = append(all, host.Domain{ID: w.Domain, UUID: w.Domain, Name: w.Domain, CPUs: cpus})
			t.Absent, t.CPUs = append(t.Absent, w.Domain), cpus
		}
		a, err := what.wanted(all, w)
		if err != nil {
			return t, err
		}
		what.adopted[a.UUID] = a
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

// named reports whether any domain is meant, though it may not be the only one.
func named(all []host.Domain, ref string) bool {
	return slices.ContainsFunc(all, func(d host.Domain) bool { return d.Means(ref) })
}
