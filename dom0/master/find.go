// SPDX-License-Identifier: Apache-2.0

package master

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vlibos/vlibos/dom0/host"
)

// errNone is the ErrNoDomain of a reference that means no domain, as opposed to
// several.
var errNone = fmt.Errorf("%w", host.ErrNoDomain)

// listing is the domains of a host at one time.
type listing struct {
	all []host.Domain
	at  map[string][]int // positions in the list, by number, name, and UUID in lower case
}

func index(all []host.Domain) *listing {
	l := &listing{at: make(map[string][]int, 3*len(all))}
	for _, d := range all {
		l.add(d)
	}
	return l
}

func (l *listing) add(d host.Domain) {
	keys := []string{d.ID, d.Name, strings.ToLower(d.UUID)}
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		l.at[key] = append(l.at[key], len(l.all))
	}
	l.all = append(l.all, d)
}

// first is the position of the first domain with that number, name or UUID in lower case
// that is meant; negative: there is none.
func (l *listing) first(key string, meant func(host.Domain) bool) int {
	for _, i := range l.at[key] {
		if meant(l.all[i]) {
			return i
		}
	}
	return -1
}

// find returns the domain that ref means: a number, a name or a UUID.
func (l *listing) find(ref string) (host.Domain, error) {
	if i := l.first(ref, func(d host.Domain) bool { return d.ID == ref }); i >= 0 {
		return l.all[i], nil
	}
	at := l.at[ref]
	if lower := strings.ToLower(ref); lower != ref {
		at = slices.Concat(at, l.at[lower])
		slices.Sort(at)
		at = slices.Compact(at)
	}
	var found []host.Domain
	for _, i := range at {
		if l.all[i].Means(ref) {
			found = append(found, l.all[i])
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return host.Domain{}, fmt.Errorf("domain %.80q: %w", ref, none(l.all))
	}
	return host.Domain{}, fmt.Errorf("domain %.80q: %w: use a number or UUID: %s", ref, host.ErrSeveral, describe(found))
}

// find is listing.find, whose error says how to start a domain that does not exist.
func (t *table) find(all *listing, ref string) (host.Domain, error) {
	d, err := all.find(ref)
	if start := t.host.Can().Start; errors.Is(err, errNone) && start != "" {
		err = fmt.Errorf("%w: start one with '%s'", err, start)
	}
	return d, err
}

// none is errNone with the domains that there are.
func none(all []host.Domain) error {
	return fmt.Errorf("%w: this host has: %s", errNone, describe(all))
}

// mostNamed limits how many domains an error lists.
const mostNamed = 20

func describe(all []host.Domain) string {
	var names []string
	for i, d := range all {
		if i == mostNamed {
			names = append(names, fmt.Sprintf("%d more", len(all)-i))
			break
		}
		names = append(names, d.String())
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// locate finds an entry's domains and the CPUs of its holder and callees. It
// reports whether they are unchanged. An error says why that is unknown, in
// which case nothing is considered moved, or that no domain ever existed for
// the entry.
func (t *table) locate(ctx context.Context, all *listing, e *entry) (as bool, err error) {
	var cpus []int
	if e.Threads != nil {
		if cpus, err = t.host.MemberCPUs(*e.Threads); err != nil {
			cpus = e.CPUs
		}
	}
	as = true
	for i, d := range e.Domains() {
		now, missing := t.current(ctx, all, e, d, e.refs[min(i, len(e.refs)):])
		as = as && same(*d, now)
		err = cmp.Or(err, missing, now.Err)
		*d = now
		cpus = append(slices.Clip(cpus), now.CPUs...)
	}
	if e.old = false; e.Domain != nil {
		e.Name = e.Domain.Name
	}
	slices.Sort(cpus)
	if cpus = slices.Compact(cpus); err != nil || !e.Running() {
		return as, err
	}
	beside := t.besideOf(ctx, e)
	as = as && slices.Equal(cpus, e.CPUs) && slices.Equal(beside, e.beside)
	e.CPUs, e.beside = cpus, beside
	return as, nil
}

// current is one of an entry's domains as it is now; one without ID if it does
// not exist, with an error if it never did. The holder of a reservation is the
// same domain as long as it lives, and otherwise the one with its UUID:
// toolstacks change names, and give a domain another UUID while they destroy
// it. A callee is the domain that the configuration names, since calls go to
// that one.
func (t *table) current(ctx context.Context, all *listing, e *entry, d *host.Domain, refs []string) (host.Domain, error) {
	holder := d == e.Domain
	alive := all.first(d.ID, func(n host.Domain) bool { return n.ID == d.ID && t.lives(ctx, e, d, n) })
	at, missing := alive, error(nil)
	if at < 0 && d.UUID != "" {
		at = all.first(strings.ToLower(d.UUID), func(n host.Domain) bool { return n.UUID == d.UUID && !(holder && t.other(e, n) != nil) })
	}
	if len(refs) > 0 && (at < 0 || !holder) {
		var n host.Domain
		if n, missing = t.find(all, refs[0]); missing == nil && holder {
			if o := t.other(e, n); o != nil {
				missing = fmt.Errorf("domain %s: %w: it has reservation %d already", n, host.ErrNotAllowed, o.ID)
			}
		}
		if missing == nil {
			at = all.first(n.ID, func(o host.Domain) bool { return same(n, o) })
		}
	}
	switch {
	case at >= 0:
		now := all.all[at]
		if holder {
			e.uuid = now.UUID
		}
		if at == alive {
			now.UUID = cmp.Or(d.UUID, now.UUID)
		}
		now.Name = cmp.Or(now.Name, d.Name)
		return now, nil
	case d.UUID != "":
		missing = nil // it existed, and may come again
	}
	return host.Domain{UUID: d.UUID, Name: d.Name}, missing
}

// other is another entry than e that a domain holds, or that is for the
// domain's UUID while e is not; nil: none.
func (t *table) other(e *entry, d host.Domain) *entry {
	return t.first(func(o *entry) bool {
		return o.ID != e.ID && o.Domain != nil && (o.holds(d) || o.Domain.UUID == d.UUID && e.Domain.UUID != d.UUID)
	})
}

// lives reports whether an entry's domain is the one that exists now. The host
// knows the domain that held an earlier master's reservation.
func (t *table) lives(ctx context.Context, e *entry, d *host.Domain, now host.Domain) bool {
	if !e.old {
		return same(*d, now)
	}
	if d != e.Domain || d.ID != now.ID {
		return false
	}
	r := e.onHost()
	r.Domain = &now
	_, err := t.host.Usage(ctx, r)
	return !errors.Is(err, host.ErrNoDomain)
}
