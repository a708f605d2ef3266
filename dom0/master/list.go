// SPDX-License-Identifier: Apache-2.0

package master

import (
	"context"
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
)

// List returns all reservations, by number. A reservation whose use cannot be
// read has a problem; the error is the same.
func (m *Master) List(ctx context.Context) ([]api.Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]api.Status, 0, len(m.entries))
	var errs []error
	for _, e := range m.inOrder() {
		s, ok, err := m.status(ctx, e)
		if ok {
			all = append(all, s)
		}
		errs = append(errs, err)
	}
	return all, errors.Join(errs...)
}

// status is an entry and how it fares. An error is also its problem; ok is false if its
// threads have ended.
func (m *Master) status(ctx context.Context, e *entry) (s api.Status, ok bool, err error) {
	s = api.Status{Reservation: e.Copy(), Absent: !e.Running() && e.UUIDs() == ""}
	if e.problem != nil {
		s.Problem = e.problem.Error()
	}
	if !e.told || !e.running() {
		return s, true, nil
	}
	s.Usage, err = m.host.Usage(ctx, e.onHost())
	switch {
	case errors.Is(err, host.ErrNoMembers):
		return s, false, nil // the next review notices, too
	case errors.Is(err, host.ErrNoDomain):
		// It is gone, or the host has lost it: the next review notices.
		for _, d := range s.Domains() {
			d.ID = ""
		}
		e.told, err = false, nil
	case err != nil:
		s.Problem = err.Error()
		err = fmt.Errorf("%s: %w", e, err)
	}
	return s, true, err
}

// Pay returns the number of the configured reservation with that name, which is
// charged for calls to its domain as it is now. Its only caller asks for it
// before it opens a channel: calls that an earlier channel left unanswered are
// considered ended. Errors are those of Reserve.
func (m *Master) Pay(ctx context.Context, name string) (reservation uint32, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.first(func(e *entry) bool { return e.Kind() == host.KindNone && e.Name == name })
	if e == nil {
		return 0, fmt.Errorf("no reservation pays for %s any more", name)
	}
	all, err := m.host.Domains(ctx)
	if err != nil {
		return 0, err
	}
	if _, err = m.locate(ctx, index(all), e); err == nil {
		if !e.Running() {
			return 0, fmt.Errorf("pay for %s: %w now", name, host.ErrNoDomain)
		}
		if err = m.again(ctx, e); err == nil {
			err = e.problem
		}
	}
	if err != nil {
		return 0, fmt.Errorf("pay for %s: %w", name, err)
	}
	return e.ID, errors.Join(m.write(), m.host.Clear(ctx, e.ID))
}

// Identify returns the existing ones of some domains, given by number, name or
// UUID.
func (m *Master) Identify(ctx context.Context, refs []string) (map[string]host.Domain, error) {
	all, err := m.host.Domains(ctx)
	if err != nil {
		return nil, err
	}
	found, known := make(map[string]host.Domain, len(refs)), index(all)
	for _, ref := range refs {
		if d, err := known.find(ref); err == nil {
			found[ref] = d
		}
	}
	return found, nil
}

// Watches reports whether the host can see which servers hang.
func (m *Master) Watches() bool { return m.host.Can().Stuck }

// Stuck returns those of some domains whose servers hang; see [host.Host].
// Domains that do not exist are left out.
func (m *Master) Stuck(ctx context.Context, refs []string) (stuck []string, err error) {
	if !m.Watches() {
		return nil, fmt.Errorf("which servers hang is %w", host.ErrNotHere)
	}
	found, err := m.Identify(ctx, refs)
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		d, ok := found[ref]
		if !ok {
			continue
		}
		hangs, err := m.host.Stuck(ctx, d)
		if err != nil {
			return stuck, fmt.Errorf("domain %s: %w", d, err)
		}
		if hangs {
			stuck = append(stuck, ref)
		}
	}
	return stuck, nil
}
