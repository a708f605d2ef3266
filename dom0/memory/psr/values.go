// SPDX-License-Identifier: Apache-2.0

package psr

import (
	"maps"

	"github.com/vlibos/vlibos/throttle/cache"
	"github.com/vlibos/vlibos/xenctl"
)

// place is where a domain has a value.
type place struct {
	socket int
	kind   xenctl.Allocation
}

type values map[place]uint64

func (v values) clone() values { return maps.Clone(v) }

func (v values) equal(w values) bool { return maps.Equal(v, w) }

// sameKinds reports whether both have values in the same places.
func (v values) sameKinds(w values) bool {
	return maps.EqualFunc(v, w, func(_, _ uint64) bool { return true })
}

// kinds are the values that a domain has on this host, in the order in which
// they are set.
func (c *Classes) kinds() []xenctl.Allocation {
	var kinds []xenctl.Allocation
	switch l3 := c.layout.L3; {
	case l3 != nil && l3.CDP:
		kinds = append(kinds, xenctl.L3Code, xenctl.L3Data)
	case l3 != nil:
		kinds = append(kinds, xenctl.L3Mask)
	}
	if c.layout.L2 != nil {
		kinds = append(kinds, xenctl.L2Mask)
	}
	if c.layout.Bandwidth != nil {
		kinds = append(kinds, xenctl.Throttle)
	}
	return kinds
}

// target is what a domain has in a class: of what the class does not say, what
// it had before.
func (c *Classes) target(was values, m cache.Masks) values {
	t := was.clone()
	for p := range t {
		switch {
		case p.kind == xenctl.L3Data && m.L3Data != 0:
			t[p] = m.L3Data
		case (p.kind == xenctl.L3Code || p.kind == xenctl.L3Mask) && m.L3Code != 0:
			t[p] = m.L3Code
		case p.kind == xenctl.L2Mask && m.L2 != 0:
			t[p] = m.L2
		case p.kind == xenctl.Throttle && m.Bandwidth != 0:
			t[p] = uint64(100 - m.Bandwidth)
		}
	}
	return t
}

// set gives a domain values, and knows what was set when one is refused.
func (c *Classes) set(id uint16, r *record, to values) error {
	for _, socket := range c.sockets {
		for _, kind := range c.kinds() {
			p, together := place{socket, kind}, place{socket, xenctl.L3Data}
			if r.now[p] == to[p] {
				continue
			}
			// One step in place of two needs no class in between.
			if kind == xenctl.L3Code && to[p] == to[together] {
				if err := c.h.SetAllocation(id, socket, xenctl.L3Mask, to[p]); err != nil {
					return err
				}
				r.now[p], r.now[together] = to[p], to[p]
				continue
			}
			if err := c.h.SetAllocation(id, socket, kind, to[p]); err != nil {
				return err
			}
			r.now[p] = to[p]
		}
	}
	return nil
}
