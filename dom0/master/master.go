// SPDX-License-Identifier: Apache-2.0

package master

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/vlibos/vlibos/dom0/platform"
)

// Master is the one of a host. Its methods may be called at the same time.
type Master struct {
	platform platform.Platform
	state    *state
	log      *slog.Logger
	health   health

	mu         sync.Mutex
	adopted    map[string]*adoption // by UUID
	configured []Wish
	waived     map[string]bool  // UUIDs of configured domains that were released by hand
	held       map[uint32]*Held // by reservation
	payers     map[string]*payer
	payments   []Payment       // configured
	taken      map[uint32]bool // numbers that a master to think with does not give away
}

// Open makes the one master of the platform's host, with what an earlier one
// left in dir. ErrRunning: there is one.
func Open(ctx context.Context, p platform.Platform, dir string, log *slog.Logger) (*Master, error) {
	s, err := openState(dir)
	if err != nil {
		return nil, err
	}
	m := &Master{platform: p, state: s, log: log, adopted: make(map[string]*adoption), waived: make(map[string]bool),
		held: make(map[uint32]*Held), payers: make(map[string]*payer), taken: make(map[uint32]bool)}
	before, err := s.read()
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	for _, a := range before.Adopted {
		a.Class = cmp.Or(a.Class, Batch)
		m.adopted[a.UUID] = &adoption{Adoption: a}
	}
	for _, p := range before.Payers {
		m.payers[p.Key] = &payer{Payer: p}
	}
	for _, h := range before.Held {
		m.held[h.Reservation] = &h
	}
	if err := errors.Join(m.resume(ctx), m.Review(ctx)); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return m, nil
}

// Close ends the master, not what it decided: the next one finds it.
func (m *Master) Close() error { return m.state.close() }

// Platform is the host's.
func (m *Master) Platform() string { return m.platform.Name() }

// Adopt lets a domain run on the wished budget in every period, and beyond that
// in background; again with another wish to change it. Errors: ErrNoDomain and
// ErrNotAdmitted of the platform, rtsched.ErrRange, ErrClass, ErrControl,
// ErrFull.
func (m *Master) Adopt(ctx context.Context, w Wish) (Adoption, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all, err := m.platform.Domains(ctx)
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
		m.log.Info("adopted", "domain", a.domain.String(), "uuid", a.UUID, "reservation", a.Reservation, "budget", a.Budget, "period", a.Period, "class", a.Class)
		return nil
	}
	return errors.Join(fmt.Errorf("adopt domain %s: %w", a.domain, m.named(err)), m.write())
}

// named adds to a platform's refusal whose reservation it speaks of.
func (m *Master) named(err error) error {
	var r *platform.Refusal
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
func (m *Master) wanted(all []platform.Domain, w Wish) (*adoption, error) {
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
	a := &adoption{Adoption: Adoption{UUID: d.UUID, Name: d.Name, Budget: w.Budget, Period: w.Period, Class: cmp.Or(w.Class, Batch), CPUs: d.CPUs}, domain: d}
	if was := m.adopted[d.UUID]; was != nil {
		a.Reservation, a.Class = was.Reservation, cmp.Or(w.Class, was.Class, Batch)
	} else if a.Reservation, err = m.number(); err != nil {
		return nil, err
	}
	if err := m.admit(a.task(), d.CPUs, d.UUID); err != nil {
		return nil, fmt.Errorf("adopt domain %s: %w", d, err)
	}
	return a, nil
}

// whatIf is a master to think with, of the adoptions to keep. What it comes to
// has numbers that this one has not given away.
func (m *Master) whatIf(keep func(*adoption) bool) *Master {
	what := &Master{platform: m.platform, adopted: make(map[string]*adoption, len(m.adopted)), held: m.held, payers: maps.Clone(m.payers), taken: make(map[uint32]bool)}
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
	m.waived[a.UUID] = true
	return a.Adoption, nil
}

func (m *Master) release(ctx context.Context, a *adoption) error {
	if err := m.platform.Release(ctx, a.domain, a.Reservation); err != nil {
		return fmt.Errorf("release domain %s: %w", a.Name, err)
	}
	delete(m.adopted, a.UUID)
	m.log.Info("released", "domain", a.Name, "uuid", a.UUID, "reservation", a.Reservation)
	return m.write()
}

func (m *Master) lookup(ref string) (*adoption, error) {
	var all []platform.Domain
	for _, a := range m.adopted {
		all = append(all, platform.Domain{ID: cmp.Or(a.domain.ID, a.UUID), UUID: a.UUID, Name: a.Name})
	}
	slices.SortFunc(all, func(a, b platform.Domain) int { return cmp.Compare(a.UUID, b.UUID) })
	d, err := find(all, ref)
	if errors.Is(err, platform.ErrNoDomain) {
		return nil, fmt.Errorf("%w: %w", ErrNotAdopted, err)
	}
	if err != nil {
		return nil, err
	}
	return m.adopted[d.UUID], nil
}

// write saves all adoptions, and who pays for calls and for threads.
func (m *Master) write() error {
	all := make([]Adoption, 0, len(m.adopted))
	for _, a := range m.adopted {
		all = append(all, a.Adoption)
	}
	slices.SortFunc(all, func(a, b Adoption) int { return cmp.Compare(a.Reservation, b.Reservation) })
	payers := make([]Payer, 0, len(m.payers))
	for _, p := range m.payers {
		payers = append(payers, p.Payer)
	}
	slices.SortFunc(payers, func(a, b Payer) int { return cmp.Compare(a.Reservation, b.Reservation) })
	return m.state.write(stateJSON{all, payers, m.allHeld()})
}
