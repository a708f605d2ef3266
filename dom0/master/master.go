// SPDX-License-Identifier: Apache-2.0

package master

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
)

// Master assigns one host's reservations. Its methods may be called
// concurrently.
type Master struct {
	state  *state
	log    *slog.Logger
	health health

	mu         sync.Mutex
	table                               // all entries
	configured bool                     // Configure was called
	notes      []string                 // the host's last notes
	problems   map[string][]api.Problem // the last ones, by the domain's UUID, or its name
}

// Open makes the only master of a host, with the reservations that an earlier
// one left in dir. ErrRunning: the host, or dir, has a master.
func Open(ctx context.Context, p host.Host, dir string, log *slog.Logger) (*Master, error) {
	s, err := openState(dir)
	if err != nil {
		return nil, err
	}
	if err := p.Own(); err != nil {
		return nil, errors.Join(running(err), s.close())
	}
	m := &Master{state: s, log: log, table: newTable(p), problems: make(map[string][]api.Problem)}
	before, bad, err := s.read()
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	for _, err := range bad {
		log.Warn("an entry of the state is left out", "file", s.file(), "error", err)
	}
	for _, r := range before {
		m.entries[r.ID] = &entry{Reservation: r, old: true, resume: true, granted: r.Task}
	}
	if err := m.Review(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return m, nil
}

// Close ends the master, but not its reservations: the next master finds them.
func (m *Master) Close() error { return m.state.close() }

// Notes are the host's; see [host.Host].
func (m *Master) Notes() []string { return m.host.Notes() }

// Host is the name of the host.
func (m *Master) Host() string { return m.host.Name() }

// Reserve gives a domain or threads a reservation: the budget in every period,
// and beyond that background time. If the domain has one already, it changes
// that; the class stays unless one is given. Errors: host.ErrNoDomain,
// host.ErrNoMembers, host.ErrNotHere, host.ErrNotAllowed, a *host.Refusal,
// host.ErrClass, rtsched.ErrRange, api.ErrControl and api.ErrFull.
func (m *Master) Reserve(ctx context.Context, want api.Reservation) (api.Reservation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, err := m.host.Domains(ctx)
	if err != nil {
		return api.Reservation{}, err
	}
	all := index(found)
	if want.Kind() == host.KindNone {
		return api.Reservation{}, fmt.Errorf("%w: only the configuration makes reservations without a holder", host.ErrNotAllowed)
	}
	want.Origin = api.FromCommand
	was := m.match(all, want)
	e, err := m.resolve(ctx, all, want, was, &m.table)
	if err == nil && !e.Running() { // it existed before
		_, err = m.find(all, want.Domain.Name)
	}
	if err == nil {
		err = m.served(ctx, e)
	}
	if err == nil {
		err = m.fits(e)
	}
	if err != nil {
		if e.UUIDs() != "" { // a mistyped name is no domain's problem
			m.remember(e, 0, err)
		}
		return api.Reservation{}, fmt.Errorf("reserve for %s: %w", e, err)
	}
	if e.refs = nil; was != nil {
		e.refs = was.refs // the configuration still uses these references
	}
	never := func(_, _ *entry, _ error) bool { return false }
	errs, err := m.enter(ctx, []*entry{e}, false, never)
	if errs[0] != nil {
		err = errors.Join(fmt.Errorf("reserve for %s: %w", e, errs[0]), err)
	}
	return e.Copy(), err
}

// enter puts entries that fit in force, in this order, and those that wait out of
// force. It returns why some are not, which stay as they were, and why the table is
// not saved. short says that there may be less room than was planned. Of an entry that
// is refused now, waits says whether it waits instead.
func (m *Master) enter(ctx context.Context, next []*entry, short bool, waits func(e, was *entry, err error) bool) (errs []error, unsaved error) {
	before := make([]*entry, len(next))
	added := false
	for i, e := range next {
		before[i] = m.entries[e.ID]
		added = added || before[i] == nil
		m.entries[e.ID] = e
	}
	// An entry that is saved before the host is told is found again whatever happens next.
	if errs = make([]error, len(next)); added {
		unsaved = m.write()
	}
	planned := true // all are in the table
	for i, e := range next {
		if planned && short {
			planned = false
			for j, e := range next[i:] { // their room may be what this one takes
				m.restore(e, before[i+j])
			}
		}
		was, err := before[i], unsaved
		switch {
		case err != nil:
		case e.Waits:
			errs[i] = m.wait(ctx, e, was)
			continue
		case !e.Running():
			m.entries[e.ID] = e
			continue
		case short:
			err = m.fits(e)
		}
		if err == nil {
			m.entries[e.ID] = e
			err = m.tell(ctx, e)
		}
		if err == nil {
			e.placed = true
			continue
		}
		short = true
		if m.restore(e, was); waits(e, was, err) {
			e.Waits, e.problem = true, err
			err = m.wait(ctx, e, was)
		}
		errs[i] = err
	}
	m.noted()
	return errs, m.write()
}

// restore puts an earlier entry, nil for none, in the place of another.
func (m *Master) restore(e, was *entry) {
	if m.entries[e.ID] = was; was == nil {
		delete(m.entries, e.ID)
	}
}

// tell makes the host create or change a reservation.
func (m *Master) tell(ctx context.Context, e *entry) error {
	if err := m.host.Reserve(ctx, e.onHost()); err != nil {
		return m.named(err, e)
	}
	if !e.told || e.problem != nil {
		m.log.Info("reserved", "for", e.String(), "name", e.Name, "reservation", e.ID, "servers", e.Number(), "budget", e.Budget, "period", e.Period, "class", e.Class)
	}
	e.told, e.resume, e.problem, e.granted = true, false, nil, e.Task
	return nil
}

// named adds the name of the reservation concerned to a host's refusal, and the
// largest budget that would fit where the entry is.
func (m *Master) named(err error, e *entry) error {
	if r := (*host.Refusal)(nil); errors.As(err, &r) && r.Name == "" {
		r.Name = m.name(r.Miss.Task.ID)
		if own := (*host.Refusal)(nil); errors.As(m.admit(e.Task, e.Each(), e.CPUs), &own) {
			r.Most = own.Most
		}
	}
	return err
}

// match is the existing entry for a wanted reservation; nil: there is none.
func (t *table) match(all *listing, want api.Reservation) *entry {
	switch want.Kind() {
	case host.KindThreads:
		return nil
	case host.KindNone:
		return t.first(func(e *entry) bool { return e.Kind() == host.KindNone && e.Name == want.Name })
	}
	ref := want.Domain.Name
	if d, err := all.find(ref); err == nil {
		if e := t.of(d); e != nil {
			return e
		}
	}
	return t.first(func(e *entry) bool {
		if e.Domain == nil || e.running() { // the domain has another handle for a while
			return e.Domain != nil && ref != "" && strings.EqualFold(e.Domain.UUID, ref)
		}
		return e.Domain.Means(ref) || slices.Contains(e.refs, ref)
	})
}

// resolve is the entry for a wanted reservation, in place of the earlier one,
// or with a number that neither table uses. It comes with an error if its
// domains do not exist.
func (t *table) resolve(ctx context.Context, all *listing, want api.Reservation, was *entry, other *table) (*entry, error) {
	e := &entry{Reservation: want.Copy()}
	e.ID, e.CPUs, e.Waits = 0, nil, false
	for _, d := range e.Domains() {
		e.refs = append(e.refs, d.Name)
		*d = host.Domain{Name: d.Name}
	}
	if e.Domain != nil {
		e.Class = cmp.Or(e.Class, host.Batch)
	}
	if err := t.able(e); err != nil {
		return e, err
	}
	if was == nil {
		id, err := t.number(other)
		if err != nil {
			return e, err
		}
		e.ID = id
	} else {
		e.ID, e.CPUs = was.ID, was.CPUs
		e.Class = cmp.Or(want.Class, was.Class)
		if want.Origin == api.FromCommand {
			e.Servers = cmp.Or(want.Servers, was.Servers)
		}
		e.told, e.resume, e.problem = was.told, was.resume, was.problem
		for i, d := range e.Domains() {
			if known := was.Domains(); i < len(known) {
				*d = *known[i]
			}
		}
	}
	_, err := t.locate(ctx, all, e)
	for i := len(e.Callees) - 1; i > 0; i-- { // two names of one domain
		if slices.ContainsFunc(e.Callees[:i], func(c host.Callee) bool { return same(c.Domain, e.Callees[i].Domain) }) {
			e.Callees = slices.Delete(e.Callees, i, i+1)
		}
	}
	return e, err
}

// Release removes the reservation of a domain, which then runs as if it had
// never been adopted. A domain that does not run is given by its name or UUID.
func (m *Master) Release(ctx context.Context, ref string) (api.Reservation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, err := m.lookup(ctx, ref)
	if err != nil {
		return api.Reservation{}, err
	}
	if e.Origin == api.FromXAPI {
		return api.Reservation{}, fmt.Errorf("release %s: %w: its VM asks for the reservation: xe vm-param-remove uuid=%s param-name=other-config param-key=vlibos:budget", e, host.ErrNotAllowed, e.UUIDs())
	}
	return e.Copy(), errors.Join(m.drop(ctx, e), m.write())
}

// Unreserve ends a reservation of threads, which then run as ordinary ones.
func (m *Master) Unreserve(ctx context.Context, id uint32) (api.Reservation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[id]
	if e == nil || e.Threads == nil {
		return api.Reservation{}, fmt.Errorf("reservation %d: %w", id, api.ErrNotReserved)
	}
	return e.Copy(), errors.Join(m.drop(ctx, e), m.write())
}

// drop ends a reservation, except in the state.
func (m *Master) drop(ctx context.Context, e *entry) error {
	if err := m.off(ctx, e); err != nil {
		return fmt.Errorf("end the reservation of %s: %w", e, err)
	}
	delete(m.entries, e.ID)
	m.log.Info("the reservation has ended", "for", e.String(), "name", e.Name, "reservation", e.ID)
	return nil
}

// lookup is the entry of the adopted domain that ref means, or api.ErrNotAdopted.
func (m *Master) lookup(ctx context.Context, ref string) (*entry, error) {
	all := index(nil)
	by := make(map[string]*entry)
	for _, e := range m.inOrder() {
		if e.Domain == nil {
			continue
		}
		if ref != "" && strings.EqualFold(e.uuid, ref) {
			return e, nil
		}
		d := *e.Domain
		d.ID = cmp.Or(d.ID, d.UUID, fmt.Sprint("reservation ", e.ID))
		by[d.ID] = e
		all.add(d)
	}
	d, err := all.find(ref)
	if !errors.Is(err, errNone) {
		return by[d.ID], err
	}
	found, err := m.host.Domains(ctx)
	if err == nil {
		if _, missing := index(found).find(ref); errors.Is(missing, errNone) {
			err = none(found)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("domain %.80q %w: %w", ref, api.ErrNotAdopted, err)
	}
	return nil, fmt.Errorf("domain %.80q %w: 'vlibmaster ps' lists those that have one", ref, api.ErrNotAdopted)
}

// write saves the table if it has changed.
func (m *Master) write() error {
	all := make([]api.Reservation, 0, len(m.entries))
	for _, e := range m.inOrder() {
		all = append(all, e.Reservation)
	}
	return m.state.write(all)
}
