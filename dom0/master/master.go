// SPDX-License-Identifier: Apache-2.0

package master

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
)

// Master is the one of a host. Its methods may be called at the same time.
type Master struct {
	host   host.Host
	state  *state
	log    *slog.Logger
	health health

	mu         sync.Mutex
	notes      []string             // that the host had last
	adopted    map[string]*adoption // by UUID
	configured []Wish
	begun      bool             // there was a configuration
	waived     map[string]bool  // configured domains that were released by hand, by UUID and by life
	unmet      []Status         // wishes that are no adoptions, and why
	held       map[uint32]*held // by reservation
	payers     map[string]*payer
	payments   []Payment       // configured
	taken      map[uint32]bool // numbers that a master to think with does not give away
}

// Open makes the one master of the host's host, with what an earlier one
// left in dir. ErrRunning: the host, or dir, has one.
func Open(ctx context.Context, p host.Host, dir string, log *slog.Logger) (*Master, error) {
	s, err := openState(dir)
	if err != nil {
		return nil, err
	}
	if err := p.Own(); err != nil {
		return nil, errors.Join(running(err), s.close())
	}
	m := &Master{host: p, state: s, log: log, adopted: make(map[string]*adoption), waived: make(map[string]bool),
		held: make(map[uint32]*held), payers: make(map[string]*payer), taken: make(map[uint32]bool)}
	before, bad, err := s.read()
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	for _, err := range bad {
		log.Warn("an entry of the state is left out", "file", s.file(), "error", err)
	}
	for _, a := range before.Adopted {
		a.Class = cmp.Or(a.Class, Batch)
		m.adopted[a.UUID] = &adoption{Adoption: a}
	}
	for _, p := range before.Payers {
		m.payers[p.Key] = &payer{Payer: p}
	}
	for _, h := range before.Held {
		m.held[h.Reservation] = &held{Held: h}
	}
	if err := errors.Join(m.resume(ctx), m.Review(ctx)); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return m, nil
}

// Close ends the master, not what it decided: the next one finds it.
func (m *Master) Close() error { return m.state.close() }

// Notes are the host's; see [host.Host].
func (m *Master) Notes() []string { return m.host.Notes() }

// Host is the host's.
func (m *Master) Host() string { return m.host.Name() }

// Adopt lets a domain run on the wished budget in every period, and beyond that
// in background; again with another wish to change it. Errors: ErrNoDomain and
// ErrNotAdmitted of the host, rtsched.ErrRange, ErrClass, ErrControl,
// ErrFull.
func (m *Master) Adopt(ctx context.Context, w Wish) (Adoption, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all, err := m.host.Domains(ctx)
	if err != nil {
		return Adoption{}, err
	}
	a, err := m.wanted(all, w)
	if err != nil {
		return Adoption{}, err
	}
	return a.Adoption, m.adopt(ctx, a)
}

// adopt does what was found to fit, or leaves all as it was.
func (m *Master) adopt(ctx context.Context, a *adoption) error {
	err := enter(m.adopted, a.UUID, a, func() error {
		// What is written first is found again whatever happens next.
		if err := m.write(); err != nil {
			return err
		}
		return m.start(ctx, a)
	})
	if err == nil {
		m.noted()
		m.log.Info("adopted", "domain", a.domain.String(), "uuid", a.UUID, "reservation", a.Reservation, "budget", a.Budget, "period", a.Period, "class", a.Class)
		return nil
	}
	return errors.Join(fmt.Errorf("adopt domain %s: %w", a.domain, m.named(err)), m.write())
}

// named adds to a host's refusal whose reservation it speaks of.
func (m *Master) named(err error) error {
	var r *host.Refusal
	if errors.As(err, &r) && r.Name == "" {
		r.Name = m.name(r.Miss.Task.ID)
	}
	return err
}

// Wish is a reservation that somebody wants for a domain.
type Wish struct {
	Domain string        `json:"domain,omitempty"` // its number, name or UUID
	Budget time.Duration `json:"budget_ns,omitempty"`
	Period time.Duration `json:"period_ns,omitempty"`
	Class  Class         `json:"class,omitempty"` // none: as it is, or Batch
}

// wanted is the adoption that is asked for of one of all domains, if it fits.
func (m *Master) wanted(all []host.Domain, w Wish) (*adoption, error) {
	a, err := m.adoptionFor(all, w)
	if err == nil {
		err = m.fits(a)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// adoptionFor is the adoption that is asked for of one of all domains, whether or
// not it fits.
func (m *Master) adoptionFor(all []host.Domain, w Wish) (*adoption, error) {
	if err := w.Class.Check(); err != nil {
		return nil, err
	}
	d, err := find(all, w.Domain)
	if err != nil {
		return nil, err
	}
	if d.Control {
		return nil, fmt.Errorf("domain %s: %w: it runs on what is kept for it", d, ErrControl)
	}
	a := &adoption{Adoption: Adoption{UUID: d.UUID, ID: d.ID, Name: d.Name, Budget: w.Budget, Period: w.Period, Class: cmp.Or(w.Class, Batch), CPUs: d.CPUs}, domain: d}
	if was := m.of(d); was != nil {
		a.UUID, a.Reservation, a.Class = was.UUID, was.Reservation, cmp.Or(w.Class, was.Class, Batch)
	} else if other := m.adopted[d.UUID]; other != nil {
		return nil, fmt.Errorf("adopt domain %s: %w: domain %s runs on the reservation of its UUID, release that first", d, host.ErrNotAllowed, other.domain)
	} else if a.Reservation, err = m.number(); err != nil {
		return nil, err
	}
	return a, nil
}

// fits tells whether an adoption fits where its domain is.
func (m *Master) fits(a *adoption) error {
	err := a.domain.Err
	if err == nil {
		err = m.admit(a.task(), a.CPUs)
	}
	if err != nil {
		return fmt.Errorf("adopt domain %s: %w", a.domain, err)
	}
	return nil
}

// whatIf is a master to think with, of the adoptions to keep. What it comes to
// has numbers that this one has not given away.
func (m *Master) whatIf(keep func(*adoption) bool) *Master {
	what := &Master{host: m.host, adopted: make(map[string]*adoption, len(m.adopted)), held: m.held, payers: maps.Clone(m.payers), taken: make(map[uint32]bool)}
	for _, a := range m.adopted {
		what.taken[a.Reservation] = true
	}
	for _, p := range m.payers {
		what.taken[p.Reservation] = true
	}
	for uuid, a := range m.adopted {
		if keep(a) {
			what.adopted[uuid] = a
		}
	}
	return what
}

// Release lets the domain that ref means run as if it never had been adopted.
// One that does not run is meant by its name or UUID.
func (m *Master) Release(ctx context.Context, ref string) (Adoption, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, err := m.lookup(ref)
	if err != nil {
		return Adoption{}, err
	}
	if err := m.release(ctx, a); err != nil {
		return Adoption{}, err
	}
	m.waived[a.UUID], m.waived[life(a.domain)] = true, true
	return a.Adoption, nil
}

func (m *Master) release(ctx context.Context, a *adoption) error {
	if err := m.freed(ctx, a.domain, a.Reservation); err != nil {
		return fmt.Errorf("release domain %s: %w", a.Name, err)
	}
	delete(m.adopted, a.UUID)
	m.log.Info("released", "domain", a.Name, "uuid", a.UUID, "reservation", a.Reservation)
	return m.write()
}

func (m *Master) lookup(ref string) (*adoption, error) {
	var all []host.Domain
	by := make(map[string]*adoption)
	for _, a := range inOrder(m.adopted, func(a *adoption) uint32 { return a.Reservation }) {
		if strings.EqualFold(a.domain.UUID, ref) {
			return a, nil // the one that it has now
		}
		d := host.Domain{ID: cmp.Or(a.domain.ID, a.UUID), UUID: a.UUID, Name: a.Name}
		by[d.ID] = a
		all = append(all, d)
	}
	d, err := find(all, ref)
	if errors.Is(err, host.ErrNoDomain) {
		return nil, fmt.Errorf("%w: %w", ErrNotAdopted, err)
	}
	return by[d.ID], err
}

// write saves all adoptions, and who pays for calls and for threads, unless that
// is what was saved last.
func (m *Master) write() error {
	j := stateJSON{Adopted: []Adoption{}}
	for _, a := range inOrder(m.adopted, func(a *adoption) uint32 { return a.Reservation }) {
		j.Adopted = append(j.Adopted, a.Adoption)
	}
	for _, p := range m.allPayers() {
		j.Payers = append(j.Payers, p.Payer)
	}
	for _, h := range m.allHeld() {
		j.Held = append(j.Held, h.Held)
	}
	return m.state.write(j)
}
