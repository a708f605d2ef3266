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
	all, err := m.host.Domains(ctx)
	if err != nil {
		return nil, err
	}
	have, asked := make([]*entry, len(want)), make(map[*entry]bool)
	for i, w := range want {
		w.Origin = api.FromXAPI
		have[i] = m.earlier(all, w)
		asked[have[i]] = true
	}
	var errs []error
	for _, e := range m.inOrder() {
		if e.Origin == api.FromXAPI && !asked[e] {
			errs = append(errs, m.end(ctx, e))
		}
	}
	order := make([]int, len(want)) // those that shrink make room for those that grow
	for i := range order {
		order[i] = i
	}
	grows := func(i int) float64 {
		if have[i] == nil {
			return want[i].Share()
		}
		return want[i].Share() - have[i].Share()
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(grows(a), grows(b)) })
	answers := make([]api.Status, len(want))
	for _, i := range order {
		e, err := m.request(ctx, all, want[i], have[i])
		if e != nil {
			answers[i].Reservation, err = e.Copy(), cmp.Or(err, e.problem)
		}
		if err != nil {
			answers[i].Problem = err.Error()
		}
	}
	return answers, errors.Join(append(errs, m.write())...)
}

// request returns the entry that a VM has now, nil if it has none, and why it is
// not the wanted one.
func (m *Master) request(ctx context.Context, all []host.Domain, want api.Reservation, was *entry) (*entry, error) {
	want.Origin = api.FromXAPI
	switch {
	case was != nil && was.Origin == api.FromFile:
		return was, fmt.Errorf("the configuration of vlibmaster has precedence: %s in every %v", was.Servings(), was.Period)
	case was != nil && was.Origin == api.FromCommand:
		return was, fmt.Errorf("a command has precedence: %s in every %v: 'vlibmaster release %s' ends that", was.Servings(), was.Period, was.Name)
	case want.Task == rtsched.Task{}, was != nil && was.asks(want):
		return was, nil
	}
	e, err := m.resolve(ctx, all, want, was, &m.table)
	if err == nil && e.Running() {
		err = m.fits(e)
	}
	switch {
	case err == nil && !e.Running():
		m.entries[e.ID] = e
		return e, nil
	case err == nil:
		if err = m.enter(ctx, e); err != nil {
			return was, err
		}
		return e, nil
	case (was == nil || was.Waits) && mayPass(e, err) && !errors.Is(err, host.ErrNoDomain):
		e.Waits, e.problem = true, err
		return e, m.wait(ctx, e, was)
	}
	if errors.Is(err, host.ErrNoDomain) {
		err = errStarting
	}
	return was, err
}

// earlier is the entry in whose place a wanted one comes, or which has precedence
// over it; nil: none. The name of a VM may have come later than an entry that waits
// for a domain with that name.
func (t *table) earlier(all []host.Domain, want api.Reservation) *entry {
	if want.Origin == api.FromXAPI && want.Domain != nil {
		if d, err := find(all, want.Domain.Name); err == nil {
			waits := func(e *entry) bool {
				return e.Origin != api.FromXAPI && e.Domain != nil && !e.running() && slices.ContainsFunc(e.refs, d.Means)
			}
			if e := t.first(waits); e != nil {
				return e
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
