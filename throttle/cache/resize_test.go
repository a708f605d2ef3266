// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"math/bits"
	"reflect"
	"strings"
	"testing"
)

func TestWaysMoveBetweenClassesThatSaySo(t *testing.T) {
	l := Layout{L3: &Ways{Bits: 12, Least: 1, Classes: 8, CDP: true}}
	p, err := Make([]Class{{Name: "a", L3: 50, L3Least: 20}, {Name: "split", L3Code: 9, L3Data: 16}, {Name: "b", L3: 25, L3Least: 100}}, l)
	if err != nil || !reflect.DeepEqual(p.Moving, Moving{At: []int{0, 2}, Ways: []int{6, 3}, Least: []int{2, 3}}) {
		t.Fatalf("%+v, %v", p, err)
	}
	m := p.Moving
	m.Ways = []int{4, 5}
	q := p.With(m)
	var all uint64
	for i, want := range []int{4, 1, 5} {
		if got := bits.OnesCount64(q.Masks[i].L3Code); got != want {
			t.Errorf("class %d has %d ways, want %d", i, got, want)
		}
		all += q.Masks[i].L3Code
	}
	if all += q.Masks[1].L3Data; all != 0xfff || q.Masks[0].L3Data != q.Masks[0].L3Code || q.Masks[2].L3Data != q.Masks[2].L3Code {
		t.Errorf("parts are not apart: %v", q.Masks)
	}
	if p.Masks[0].L3Code != 0x3f {
		t.Errorf("the first plan has changed: %v", p.Masks)
	}
	if again := q.With(p.Moving); !reflect.DeepEqual(again, p) {
		t.Errorf("back: %+v, want %+v", again, p)
	}
}

func TestWaysThatCannotMoveAreAnError(t *testing.T) {
	l := Layout{L3: &Ways{Bits: 12, Least: 1, Classes: 8}}
	for want, classes := range map[string][]Class{
		"no other class": {{Name: "a", L3: 50, L3Least: 20}, {Name: "b", L3: 50}},
		"overlap":        {{Name: "a", L3: 80, L3Least: 20}, {Name: "b", L3: 50, L3Least: 20}},
	} {
		if _, err := Make(classes, l); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for want, c := range map[string]Class{
		"less than l3": {Name: "a", L3: 20, L3Least: 30},
		"without l3":   {Name: "a", L2: 20, L3Least: 30},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
