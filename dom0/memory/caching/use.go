// SPDX-License-Identifier: Apache-2.0

package caching

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/memory"
)

// OpenMonitor opens what reads domains' use of caches; host.ErrNotHere if the host tells
// nothing.
type OpenMonitor func() (memory.CacheMonitor, error)

// shortest is the time over which a rate is computed.
const shortest = time.Second

// monitor is what is known of the use of caches.
type monitor struct {
	open    OpenMonitor
	source  memory.CacheMonitor // nil: not opened
	absent  bool                // the host tells nothing
	problem string              // why nothing is known
	use     map[string]host.CacheUse
	// The base of the rates.
	at    time.Time
	moved map[string]uint64
}

// read updates the use of all domains.
func (m *monitor) read(ctx context.Context, all []host.Domain, now time.Time) {
	if err := m.try(ctx, all, now); err != nil {
		m.problem, m.use = err.Error(), nil
		m.absent = errors.Is(err, host.ErrNotHere)
		return
	}
	m.problem = ""
}

func (m *monitor) try(ctx context.Context, all []host.Domain, now time.Time) (err error) {
	if m.source == nil {
		if m.source, err = m.open(); err != nil {
			m.source = nil
			return err
		}
	}
	use, err := m.source.Read(ctx, all)
	if err != nil {
		return err
	}
	span := now.Sub(m.at)
	for id, u := range use {
		u.Rate = m.use[id].Rate
		if was, ok := m.moved[id]; span >= shortest {
			u.Rate = 0
			if ok && u.Moved >= was {
				u.Rate = float64(u.Moved-was) / span.Seconds()
			}
		}
		use[id] = u
	}
	m.use = use
	if span < shortest {
		return nil
	}
	m.at, m.moved = now, make(map[string]uint64, len(use))
	for id, u := range use {
		m.moved[id] = u.Moved
	}
	return nil
}

func (m *monitor) close() error {
	if m.source == nil {
		return nil
	}
	err := m.source.Close()
	m.source = nil
	return err
}

// Use returns the use of caches by domain, of all domains that now exist. It is empty if
// the host does not tell.
func (m *Manager) Use(ctx context.Context) map[string]host.CacheUse {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.measure(ctx)
	return maps.Clone(m.monitor.use)
}

// measure reads the use of caches. An error is the monitor's problem.
func (m *Manager) measure(ctx context.Context) {
	if m.monitor.absent {
		return
	}
	all, err := m.list.Domains(ctx)
	if err != nil {
		m.monitor.problem, m.monitor.use = err.Error(), nil
		return
	}
	m.monitor.read(ctx, all, time.Now())
}

// Caches describes the classes and the domains in them.
func (m *Manager) Caches(ctx context.Context) (api.Caches, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := api.Caches{Classes: []api.CacheClass{}, Without: []api.CacheMember{}}
	if m.host == nil {
		p, err := m.open()
		if err != nil {
			c.Problem = err.Error()
		} else {
			m.host = p
		}
	}
	if m.host != nil {
		l := m.host.Layout()
		if c.Layout = l.String(); l.L3 != nil {
			c.Ways = l.L3.Bits
		}
	}
	m.measure(ctx)
	c.Unmonitored = m.monitor.problem
	if m.monitor.source != nil {
		c.Capacity = m.monitor.source.Capacity()
	}
	all, err := m.list.Domains(ctx)
	if err != nil {
		return c, err
	}
	for i, k := range m.current {
		v := m.plan.Masks[i]
		c.Classes = append(c.Classes, api.CacheClass{Name: k.Name, L3Code: v.L3Code, L3Data: v.L3Data, L2: v.L2, Bandwidth: v.Bandwidth, Members: []api.CacheMember{}})
	}
	for i, at := range m.plan.Moving.At {
		c.Classes[at].Least = m.plan.Moving.Least[i]
	}
	for _, d := range all {
		member := api.CacheMember{ID: d.ID, UUID: d.UUID, Name: d.Name}
		if u, ok := m.monitor.use[d.ID]; ok {
			member.Use = &u
		}
		i := slices.IndexFunc(c.Classes, func(k api.CacheClass) bool { return k.Name == m.class[d.ID] })
		if i < 0 {
			c.Without = append(c.Without, member)
		} else {
			c.Classes[i].Members = append(c.Classes[i].Members, member)
		}
	}
	return c, nil
}
