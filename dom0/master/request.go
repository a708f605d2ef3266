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
	"github.com/vlibos/vlibos/rtsched"
)

// Request makes the reservations that XAPI's VMs ask for, and ends those of
// earlier requests. It returns the reservation that each VM has now, with the
// reason in Problem if it is not the wanted one: one request's failure affects no
// other. What the configuration or a command says of a VM has precedence. A
// request that does not fit leaves the VM's reservation as it was, or waits if
// there was none. One without a budget is not understood: it changes nothing, so
// that an earlier one of the VM stays.
//
// Requests are repeated until the next ones: a caller repeats them so that those
// that were refused are tried again.
func (m *Master) Request(ctx context.Context, want []api.Reservation) ([]api.Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, err := m.host.Domains(ctx)
	if err != nil {
		return nil, err
	}
	all, expected := index(found), m.expected()
	have, asked := make([]*entry, len(want)), make(map[*entry]bool)
	want = slices.Clone(want)
	for i := range want {
		want[i].Origin = api.FromXAPI
		have[i] = m.earlier(all, want[i], expected)
		asked[have[i]] = true
	}
	var errs []error
	for _, e := range m.inOrder() {
		if e.Origin == api.FromXAPI && !asked[e] {
			errs = append(errs, m.drop(ctx, e))
		}
	}
	// Reservations that shrink make room for those that grow.
	grows, order := make([]float64, len(want)), make([]int, len(want))
	for i, w := range want {
		if order[i] = i; w.Domain != nil {
			if d, err := all.find(w.Domain.Name); err == nil {
				w.Domain = &d // which has vCPUs
			}
		}
		if grows[i] = w.Share(); have[i] != nil {
			grows[i] -= have[i].Share()
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(grows[a], grows[b]) })
	what := m.without(func(*entry) bool { return false })
	problems := make([]error, len(want))
	var next []*entry
	var from []int // the requests of these
	for _, i := range order {
		e, err := what.plan(ctx, all, want[i], have[i])
		if problems[i] = err; e != nil && e != have[i] {
			what.entries[e.ID], have[i] = e, e
			next, from = append(next, e), append(from, i)
		}
	}
	failed, err := m.enter(ctx, next, false, waits)
	for i, f := range from {
		if have[f] = m.entries[next[i].ID]; failed[i] != nil {
			problems[f] = failed[i]
		}
	}
	answers := make([]api.Status, len(want))
	for i, e := range have {
		if e != nil {
			answers[i].Reservation, problems[i] = e.Copy(), cmp.Or(problems[i], e.problem)
		}
		if problems[i] != nil {
			answers[i].Problem = problems[i].Error()
		}
	}
	return answers, errors.Join(append(errs, err)...)
}

// plan returns the entry that a VM is to have, nil for none, and why it is not the
// wanted one.
func (t *table) plan(ctx context.Context, all *listing, want api.Reservation, was *entry) (*entry, error) {
	switch {
	case was != nil && was.Origin == api.FromFile:
		return was, fmt.Errorf("the configuration of vlibmaster has precedence: %s in every %v", was.Servings(), was.Period)
	case was != nil && was.Origin == api.FromCommand:
		return was, fmt.Errorf("a command has precedence: %s in every %v: 'vlibmaster release %s' ends that", was.Servings(), was.Period, was.Name)
	case want.Task == rtsched.Task{}, was != nil && was.asks(want):
		return was, nil
	}
	e, err := t.resolve(ctx, all, want, was, t)
	if err == nil && e.Running() {
		err = t.fits(e)
	}
	switch {
	case err == nil:
		return e, nil
	case waits(e, was, err):
		e.Waits, e.problem = true, err
		return e, nil
	case errors.Is(err, host.ErrNoDomain):
		err = errStarting
	}
	return was, err
}

// waits reports whether a refused request becomes an entry that waits: a VM that has
// a reservation keeps that.
func waits(e, was *entry, err error) bool {
	return (was == nil || was.Waits) && mayPass(e, err) && !errors.Is(err, host.ErrNoDomain)
}

// expected are the entries of files and commands that wait for a domain by its name.
func (t *table) expected() (all []*entry) {
	for _, e := range t.inOrder() {
		if e.Origin != api.FromXAPI && e.Domain != nil && !e.running() && len(e.refs) > 0 {
			all = append(all, e)
		}
	}
	return all
}

// earlier is the entry in whose place a wanted one comes, or which has precedence
// over it; nil: none. The name of a VM may have come later than an entry that is
// expected to find a domain with that name.
func (t *table) earlier(all *listing, want api.Reservation, expected []*entry) *entry {
	if want.Origin == api.FromXAPI && want.Domain != nil {
		if d, err := all.find(want.Domain.Name); err == nil {
			for _, e := range expected {
				if slices.ContainsFunc(e.refs, d.Means) {
					return e
				}
			}
		}
	}
	return t.match(all, want)
}

// errStarting is the problem of a request whose VM has no domain yet.
var errStarting = errors.New("its domain does not run yet")

// asks reports whether an entry is what a VM wants.
func (e *entry) asks(want api.Reservation) bool {
	return e.Budget == want.Budget && e.Servers == want.Servers && e.Period == want.Period && e.Class == want.Class &&
		slices.EqualFunc(e.Callees, want.Callees, func(a, b host.Callee) bool { return a.Listens == b.Listens })
}
