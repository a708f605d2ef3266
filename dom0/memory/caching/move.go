// SPDX-License-Identifier: Apache-2.0

package caching

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/vlibos/vlibos/throttle/cache"
)

// move lets the policy move ways between classes, in the plan. Without the use of each domain
// all stays as it is, and the error says why.
func (m *Manager) move() error {
	if m.policy == nil {
		return nil
	}
	if m.monitor.problem != "" {
		return fmt.Errorf("ways do not move between classes: %s", m.monitor.problem)
	}
	if m.monitor.source.Capacity() == 0 {
		return errors.New("ways do not move between classes: the size of the cache is not known")
	}
	moving := m.plan.Moving
	now := make([]cache.Reading, len(moving.At))
	for i, at := range moving.At {
		for _, id := range slices.Sorted(maps.Keys(m.class)) { // so that the first problem is the same
			u, ok := m.monitor.use[id]
			if !ok || m.class[id] != m.current[at].Name {
				continue // it has ended, or is in another class
			}
			if u.Problem != "" {
				return fmt.Errorf("ways do not move between classes: domain %s: %s", id, u.Problem)
			}
			now[i].Filled += float64(u.Occupied)
			now[i].Moved += u.Rate
		}
		now[i].Filled /= float64(m.monitor.source.Capacity()) * float64(moving.Ways[i]) / float64(m.host.Layout().L3.Bits)
	}
	next := m.policy.Next(now)
	if slices.Equal(next, moving.Ways) {
		return nil
	}
	for i, at := range moving.At {
		if next[i] != moving.Ways[i] {
			m.log.Info("ways move between cache classes", "class", m.current[at].Name, "ways", next[i], "before", moving.Ways[i],
				"filled", fmt.Sprintf("%.2f", now[i].Filled), "moved_per_s", int64(now[i].Moved))
		}
	}
	moving.Ways = next
	m.plan = m.plan.With(moving)
	return nil
}
