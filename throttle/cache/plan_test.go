// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func server() Layout {
	return Layout{
		L3:        &Ways{Bits: 11, Least: 1, Classes: 15},
		L2:        &Ways{Bits: 16, Least: 2, Classes: 7},
		Bandwidth: &Bandwidth{Least: 10, Step: 10, Classes: 7},
	}
}

func TestPlanGivesClassesTheirParts(t *testing.T) {
	split := server()
	split.L3.CDP = true
	for _, tt := range []struct {
		name    string
		layout  Layout
		classes []Class
		want    Plan
	}{
		{"apart", server(), []Class{{L3: 60}, {L3: 40}}, Plan{Masks: []Masks{{L3Code: 0x7f, L3Data: 0x7f}, {L3Code: 0x780, L3Data: 0x780}}}},
		{"the rest stays unallocated", server(), []Class{{L3: 20}, {L3: 30}}, Plan{Masks: []Masks{{L3Code: 0x3, L3Data: 0x3}, {L3Code: 0x1c, L3Data: 0x1c}}}},
		{"overlapping as little as possible", server(), []Class{{L3: 60}, {L3: 60}},
			Plan{Masks: []Masks{{L3Code: 0x7f, L3Data: 0x7f}, {L3Code: 0x7f0, L3Data: 0x7f0}}, OverlapL3: true}},
		{"the whole cache", server(), []Class{{L3: 100}, {L3: 100, L2: 100}},
			Plan{Masks: []Masks{{L3Code: 0x7ff, L3Data: 0x7ff}, {L3Code: 0x7ff, L3Data: 0x7ff, L2: 0xffff}}, OverlapL3: true}},
		{"never less than the hardware's minimum", server(), []Class{{L2: 1}, {L2: 90}}, Plan{Masks: []Masks{{L2: 0x3}, {L2: 0xfffc}}}},
		{"the minima do not fit", Layout{L2: &Ways{Bits: 4, Least: 2, Classes: 9}}, []Class{{L2: 1}, {L2: 1}, {L2: 1}},
			Plan{Masks: []Masks{{L2: 0x3}, {L2: 0xc}, {L2: 0x3}}, OverlapL2: true}},
		{"code and data", split, []Class{{L3Code: 20, L3Data: 40}, {L3: 40}},
			Plan{Masks: []Masks{{L3Code: 0x3, L3Data: 0x7c}, {L3Code: 0x780, L3Data: 0x780}}}},
		{"bandwidth is rounded up", server(), []Class{{Bandwidth: 1}, {Bandwidth: 80}, {Bandwidth: 81}, {Bandwidth: 100}},
			Plan{Masks: []Masks{{Bandwidth: 10}, {Bandwidth: 80}, {Bandwidth: 90}, {Bandwidth: 100}}}},
	} {
		got, err := Make(tt.classes, tt.layout)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
}

func TestPlanRefusesWhatTheProcessorLacks(t *testing.T) {
	few := Layout{L3: &Ways{Bits: 8, Least: 1, Classes: 2}, Bandwidth: &Bandwidth{Least: 10, Step: 10, Classes: 7}, Spare: true}
	for _, tt := range []struct {
		layout  Layout
		classes []Class
		want    error
		says    string
	}{
		{Layout{}, []Class{{Name: "wide", L3: 50}}, ErrNotSupported, `class "wide": l3`},
		{Layout{}, []Class{{L2: 50}}, ErrNotSupported, "l2"},
		{Layout{}, []Class{{Bandwidth: 50}}, ErrNotSupported, "mba"},
		{server(), []Class{{L3Code: 50, L3Data: 50}}, ErrNotSupported, "psr=cdp"},
		{few, []Class{{L3: 10}, {L3: 20}, {L3: 30}}, ErrTooMany, "3, and this host has 2"},
		{few, []Class{{L3: 10}, {L3: 20, Bandwidth: 50}}, ErrTooMany, "2, and this host has 1"},
	} {
		if _, err := Make(tt.classes, tt.layout); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: %v, want %v: %s", tt.classes, err, tt.want, tt.says)
		}
	}
	if _, err := Make([]Class{{L3: 100}, {L3: 100}, {L3: 100}}, few); err != nil {
		t.Errorf("classes with equal masks count as one: %v", err)
	}
}

// Masks are valid for processors. Parts are separate where that is possible,
// and then each has its share to within one bit.
func TestMasksAreValidAndSeparateWherePossible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 64).Draw(t, "bits")
		w := Ways{Bits: n, Least: rapid.IntRange(1, min(n, 4)).Draw(t, "least"), Classes: 100, CDP: true}
		var classes []Class
		percent, smallest, parts := 0, 100, 0
		for range rapid.IntRange(1, 8).Draw(t, "classes") {
			if a, b := rapid.IntRange(1, 100).Draw(t, "share"), rapid.IntRange(0, 100).Draw(t, "data"); b > 0 {
				classes = append(classes, Class{L3Code: a, L3Data: b})
				percent, smallest, parts = percent+a+b, min(smallest, a, b), parts+2
			} else {
				classes = append(classes, Class{L3: a})
				percent, smallest, parts = percent+a, min(smallest, a), parts+1
			}
		}
		p, err := Make(classes, Layout{L3: &w})
		if err != nil {
			t.Fatal(err)
		}
		var union uint64
		total := 0
		check := func(m uint64, share int) {
			size := bits.OnesCount64(m)
			if size < w.Least || bits.Len64(m) > n || bits.Len64(m)-bits.TrailingZeros64(m) != size {
				t.Fatalf("mask %#x of %+v", m, w)
			}
			if exact := float64(share*n) / 100; float64(size) > max(exact, float64(w.Least))+1 || float64(size) < exact-1 {
				t.Fatalf("%d bits for %d %% of %d", size, share, n)
			}
			union |= m
			total += size
		}
		for i, m := range p.Masks {
			if c := classes[i]; c.L3 != 0 {
				if m.L3Code != m.L3Data {
					t.Fatalf("%+v: %v", c, m)
				}
				check(m.L3Code, c.L3)
			} else {
				check(m.L3Code, c.L3Code)
				check(m.L3Data, c.L3Data)
			}
		}
		if !p.OverlapL3 && bits.OnesCount64(union) != total {
			t.Fatalf("%v overlap", p)
		}
		if fits := percent <= 100 && smallest*n/100 >= w.Least; fits && p.OverlapL3 || percent > 100 && !p.OverlapL3 {
			t.Fatalf("%d %% in %d parts, overlapping: %v", percent, parts, p.OverlapL3)
		}
	})
}

func TestInvalidClassesAreRefused(t *testing.T) {
	for _, tt := range []struct {
		class Class
		want  string
	}{
		{Class{Name: "wide", L3: 60, L2: 50, Bandwidth: 80}, ""},
		{Class{Name: "w_1-A", L3Code: 10, L3Data: 100}, ""},
		{Class{L3: 60}, "name"},
		{Class{Name: "../x", L3: 60}, "name"},
		{Class{Name: strings.Repeat("x", 33), L3: 60}, "name"},
		{Class{Name: "x", L3: 101}, "l3 of 101 %"},
		{Class{Name: "x", L2: -1}, "l2 of -1 %"},
		{Class{Name: "x", L3Code: 10}, "together"},
		{Class{Name: "x", L3: 10, L3Code: 10, L3Data: 10}, "either l3"},
		{Class{Name: "x"}, "has no share"},
	} {
		err := tt.class.Validate()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.class, err, tt.want)
		}
	}
}

func TestLayoutDescribesWhatCanBeAllocated(t *testing.T) {
	l := server()
	l.L2, l.L3.CDP = nil, true
	if got, want := l.String(), "L3: 11 parts, 15 classes, code and data separate; L2: none; memory bandwidth: steps of 10 %, 7 classes"; got != want {
		t.Errorf("%s", got)
	}
	if !l.Has() || (Layout{Spare: true}).Has() {
		t.Error("a layout without resources has some")
	}
}
