// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"slices"
	"time"
)

// maxKeys limits what a daemon remembers, and the series that it exports. When
// all are in use, a caller that has not called for forgetAfter makes room,
// since domains come and go.
const (
	maxKeys     = 256
	forgetAfter = time.Hour
)

// otherKey is for callers without room, and for those that have made room.
var otherKey = Key{Caller: Caller{UID: ^uint32(0), Comm: Other}, Domain: Other, Library: Other, Function: Other}

// totals only grow: a decrease of a book is ignored, and forgotten totals are
// added to otherKey.
type totals struct {
	all      map[Key]*total
	overflow bool // some were added to otherKey
}

type total struct {
	name     string
	counters counters
	changed  time.Time
}

// add adds the difference between lines and seen, of the same book, and returns
// the new state of the book.
func (t *totals) add(seen []counters, lines []line, now time.Time) []counters {
	for len(seen) < len(lines) {
		seen = append(seen, counters{})
	}
	for i, l := range lines {
		more, changed := l.counters.since(&seen[i])
		if !changed {
			continue
		}
		to := t.of(l.key, now)
		to.name, to.changed = l.name, now
		to.counters.add(&more)
		seen[i].add(&more)
	}
	return seen
}

// since is the increase of c since before; a counter that went backwards has
// none.
func (c *counters) since(before *counters) (more counters, changed bool) {
	for i, n := range c {
		if n > before[i] {
			more[i], changed = n-before[i], true
		}
	}
	return more, changed
}

func (c *counters) add(more *counters) {
	for i, n := range more {
		c[i] = add(c[i], n)
	}
}

// of is the total for a key, or the common one for keys without room.
func (t *totals) of(k Key, now time.Time) *total {
	if to := t.all[k]; to != nil {
		return to
	}
	if len(t.all) >= maxKeys && !t.forget(now) {
		t.overflow = true
		k = otherKey
		if to := t.all[k]; to != nil {
			return to
		}
	}
	to := new(total)
	t.all[k] = to
	return to
}

// forget makes room if some caller has not called for a long time.
func (t *totals) forget(now time.Time) bool {
	oldest := otherKey
	for k, to := range t.all {
		if k != otherKey && now.Sub(to.changed) >= forgetAfter && (oldest == otherKey || to.changed.Before(t.all[oldest].changed)) {
			oldest = k
		}
	}
	if oldest == otherKey {
		return false
	}
	if t.all[otherKey] == nil {
		t.all[otherKey] = &total{changed: now}
	}
	t.all[otherKey].counters.add(&t.all[oldest].counters)
	delete(t.all, oldest)
	return len(t.all) < maxKeys || t.forget(now)
}

func (t *totals) accounts() []Account {
	all := make([]Account, 0, len(t.all))
	for k, to := range t.all {
		all = append(all, to.counters.account(k, to.name))
	}
	slices.SortFunc(all, func(a, b Account) int { return a.Key.compare(b.Key) })
	return all
}
