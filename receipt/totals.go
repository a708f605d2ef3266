// SPDX-License-Identifier: Apache-2.0

package receipt

import "slices"

// maxKeys bounds what a daemon remembers, and the series that it exports.
const maxKeys = 256

// totals only grow: what a book has lost since it was last read is not taken
// away again.
type totals struct {
	all      map[Key]*total
	overflow bool // some were added to Other
}

type total struct {
	name     string
	counters counters
}

// add counts what is in lines and was not yet in seen, of the same book, and
// returns what is now.
func (t *totals) add(seen []counters, lines []line) []counters {
	for len(seen) < len(lines) {
		seen = append(seen, counters{})
	}
	for i, l := range lines {
		to := t.of(l.key)
		to.name = l.name
		for n, now := range l.counters {
			if before := seen[i][n]; now > before {
				to.counters[n] = add(to.counters[n], now-before)
				seen[i][n] = now
			}
		}
	}
	return seen
}

// of is the total for a key, or for all those that found no room.
func (t *totals) of(k Key) *total {
	if to := t.all[k]; to != nil {
		return to
	}
	if len(t.all) >= maxKeys {
		t.overflow = true
		k = Key{Caller: Caller{UID: ^uint32(0), Comm: Other}, Domain: Other, Library: Other, Function: Other}
		if to := t.all[k]; to != nil {
			return to
		}
	}
	to := new(total)
	t.all[k] = to
	return to
}

func (t *totals) accounts() []Account {
	all := make([]Account, 0, len(t.all))
	for k, to := range t.all {
		all = append(all, to.counters.account(k, to.name))
	}
	slices.SortFunc(all, func(a, b Account) int { return a.Key.compare(b.Key) })
	return all
}
