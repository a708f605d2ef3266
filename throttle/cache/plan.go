// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"fmt"
)

// ErrTooMany reports that the processor has fewer classes than requested.
var ErrTooMany = errors.New("too many classes")

// Plan is the classes' masks on a processor.
type Plan struct {
	Masks []Masks // of each class, in their order
	// OverlapL3 and OverlapL2 say that classes share parts of that cache.
	OverlapL3, OverlapL2 bool
	Moving               Moving
}

// Make plans for valid classes. Errors: [ErrNotSupported], [ErrTooMany].
func Make(classes []Class, l Layout) (Plan, error) {
	p := Plan{Masks: make([]Masks, len(classes))}
	var l3, l2 []part
	for i, c := range classes {
		if err := l.supports(c); err != nil {
			return Plan{}, fmt.Errorf("class %q: %w", c.Name, err)
		}
		m := &p.Masks[i]
		if c.L3 != 0 {
			l3 = append(l3, part{c.L3, []*uint64{&m.L3Code, &m.L3Data}})
		}
		if c.L3Code != 0 {
			l3 = append(l3, part{c.L3Code, []*uint64{&m.L3Code}}, part{c.L3Data, []*uint64{&m.L3Data}})
		}
		if c.L2 != 0 {
			l2 = append(l2, part{c.L2, []*uint64{&m.L2}})
		}
		if c.Bandwidth != 0 {
			m.Bandwidth = l.Bandwidth.round(c.Bandwidth)
		}
	}
	if len(l3) > 0 {
		p.OverlapL3 = place(l3, *l.L3)
	}
	if len(l2) > 0 {
		p.OverlapL2 = place(l2, *l.L2)
	}
	var err error
	if p.Moving, err = p.moving(classes, l.L3); err != nil {
		return Plan{}, err
	}
	if l.Groups != 0 {
		if len(classes) > l.Groups {
			return Plan{}, fmt.Errorf("%w: %d, and this host has %d (%v): remove some, or put their domains into one", ErrTooMany, len(classes), l.Groups, l)
		}
		return p, nil
	}
	distinct := make(map[Masks]bool)
	for _, m := range p.Masks {
		distinct[m] = true
	}
	if most := l.available(p.Masks); len(distinct) > most {
		return Plan{}, fmt.Errorf("%w: %d, and this host has %d (%v): remove some, or give several the same shares",
			ErrTooMany, len(distinct), max(most, 0), l)
	}
	return p, nil
}

func (l Layout) supports(c Class) error {
	switch {
	case c.L3+c.L3Code != 0 && l.L3 == nil:
		return fmt.Errorf("l3: %w", ErrNotSupported)
	case c.L3Code != 0 && !l.L3.CDP:
		return fmt.Errorf("l3_code and l3_data: %w: boot Xen with psr=cdp, or mount resctrl with -o cdp", ErrNotSupported)
	case c.L2 != 0 && l.L2 == nil:
		return fmt.Errorf("l2: %w", ErrNotSupported)
	case c.Bandwidth != 0 && l.Bandwidth == nil:
		return fmt.Errorf("mba: %w", ErrNotSupported)
	}
	return nil
}

// round rounds up to the next possible value: no class gets less than
// requested.
func (b Bandwidth) round(percent int) int {
	return min(100, max(b.Least, (percent+b.Step-1)/b.Step*b.Step))
}

// Sharing describes how classes overlap.
func (p Plan) Sharing() string {
	words := map[bool]string{true: "overlapping", false: "apart"}
	return fmt.Sprintf("L3 %s, L2 %s", words[p.OverlapL3], words[p.OverlapL2])
}
