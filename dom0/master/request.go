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
	want = slices.Clone(want)
	for i := range want {
		want[i].Origin = api.FromXAPI
	}
	all, order, err := m.begin(ctx, want)
	if all == nil {
		return nil, err
	}
	answers := make([]api.Status, len(want))
	for some := range slices.Chunk(order, atOnce) {
		err = errors.Join(err, m.request(ctx, all, want, some, answers))
	}
	return answers, err
}

// atOnce is how many requests are carried out before others get the master's lock.
const atOnce = 128

// begin ends the reservations of earlier requests, and returns the domains and the order
// of the requests, in which those that shrink make room for those that grow.
func (m *Master) begin(ctx context.Context, want []api.Reservation) (all *listing, order []int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, err := m.host.Domains(ctx)
	if err != nil {
		return nil, nil, err
	}
	all = index(found)
	grows, asked, expected := make([]float64, len(want)), make(map[*entry]bool), m.expected()
	for i, w := range want {
		was := m.earlier(all, w, expected)
		asked[was] = true
		if w.Domain != nil {
			if d, err := all.find(w.Domain.Name); err == nil {
				w.Domain = &d // which has vCPUs
			}
		}
		if grows[i] = w.Share(); was != nil {
			grows[i] -= was.Share()
		}
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(grows[a], grows[b]) })
	ends := false
	for _, e := range m.inOrder() {
		if e.Origin == api.FromXAPI && !asked[e] {
			ends = true
			err = errors.Join(err, m.drop(ctx, e))
		}
	}
	if ends {
		err = errors.Join(err, m.write())
	}
	return all, order, err
}

// request carries out some of the requests.
func (m *Master) request(ctx context.Context, all *listing, want []api.Reservation, some []int, answers []api.Status) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	what, expected := m.without(func(*entry) bool { return false }), m.expected()
	have, problems := make([]*entry, len(some)), make([]error, len(some))
	var next []*entry
	var from []int // those in some
	for i, of := range some {
		was := m.earlier(all, want[of], expected)
		e, err := what.plan(ctx, all, want[of], was)
		if have[i], problems[i] = e, err; e != nil && e != was {
			what.entries[e.ID] = e
			next, from = append(next, e), append(from, i)
		}
	}
	var err error
	if len(next) > 0 {
		var failed []error
		failed, err = m.enter(ctx, next, false, waits)
		for i, f := range from {
			if have[f] = m.entries[next[i].ID]; failed[i] != nil {
				problems[f] = failed[i]
			}
		}
	}
	for i, of := range some {
		if e := have[i]; e != nil {
			answers[of].Reservation, problems[i] = e.Copy(), cmp.Or(problems[i], e.problem)
		}
		if problems[i] != nil {
			answers[of].Problem = problems[i].Error()
		}
	}
	return err
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
