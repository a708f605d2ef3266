// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"fmt"
	"math/bits"
)

// Moving are the classes between which ways of the third-level cache may move.
type Moving struct {
	At    []int // their places among the classes
	Ways  []int // of each
	Least []int // ways that each keeps
}

// moving finds them in a plan. It is an error if ways cannot move although a class wants it.
func (p Plan) moving(classes []Class, w *Ways) (m Moving, err error) {
	for i, c := range classes {
		if c.L3Least != 0 {
			m.At = append(m.At, i)
			m.Ways = append(m.Ways, bits.OnesCount64(p.Masks[i].L3Code))
			m.Least = append(m.Least, min(bits.OnesCount64(p.Masks[i].L3Code), max(w.Least, (c.L3Least*w.Bits+50)/100)))
		}
	}
	switch {
	case len(m.At) == 1:
		return m, fmt.Errorf("class %q: l3_least: no other class has it: ways move between classes that have it", classes[m.At[0]].Name)
	case len(m.At) > 1 && p.OverlapL3:
		return m, errors.New("l3_least: classes overlap: ways move only between classes with parts of their own; let all l3 add up to 100 % or less")
	}
	return m, nil
}

// With returns the plan with other numbers of ways, of the same sum. All parts are beside one
// another again.
func (p Plan) With(m Moving) Plan {
	masks := append([]Masks(nil), p.Masks...)
	for i, at := range m.At {
		mask := uint64(1)<<m.Ways[i] - 1
		masks[at].L3Code, masks[at].L3Data = mask, mask
	}
	from := 0
	put := func(mask uint64) uint64 {
		n := bits.OnesCount64(mask)
		from += n
		return (uint64(1)<<n - 1) << (from - n)
	}
	for i := range masks {
		l := &masks[i]
		together := l.L3Code == l.L3Data
		if l.L3Code = put(l.L3Code); together {
			l.L3Data = l.L3Code
		} else {
			l.L3Data = put(l.L3Data)
		}
	}
	p.Masks, p.Moving = masks, m
	return p
}
