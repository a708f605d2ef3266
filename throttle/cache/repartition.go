// SPDX-License-Identifier: Apache-2.0

package cache

import "slices"

// Reading is what a class did since the last decision.
type Reading struct {
	Filled float64 // share of its ways that hold its lines, 0 to 1
	Moved  float64 // bytes a second from and to memory: what it missed
}

// Repartition moves ways between classes by what they fill and miss. It is the idea of
// COLORIS (Ye, West, Cheng, Li: COLORIS: a dynamic cache partitioning system using page
// coloring, PACT 2014), with the processor's ways in place of pages' colours.
//
// A class that fills its ways and misses is given a way of the class that misses least, on
// trial. It keeps the way only if the two then miss less together; so a program that streams,
// which misses whatever it has, gets none. A class whose trial failed rests, twice as long
// each time.
type Repartition struct {
	ways, least []int
	trial       *trial
	rest, pause []int // decisions left to rest, and of the last rest
}

type trial struct {
	from, to int
	missed   float64 // by the two, before
	left     int     // decisions until the caches have filled
}

const (
	full      = 0.9  // Filled of a class that can use another way
	worth     = 0.05 // part of the misses that a way must save
	settle    = 2    // decisions of a trial
	shortRest = 4    // decisions
	longRest  = 128
)

// NewRepartition begins with these numbers of ways. No class gets fewer than its least.
func NewRepartition(ways, least []int) *Repartition {
	return &Repartition{ways: slices.Clone(ways), least: slices.Clone(least), rest: make([]int, len(ways)), pause: make([]int, len(ways))}
}

// Next returns how many ways each class has from now on, of the same sum as ever. It is
// called every few seconds with a reading of each class.
func (r *Repartition) Next(now []Reading) []int {
	for i := range r.rest {
		r.rest[i] = max(r.rest[i]-1, 0)
	}
	if r.trial != nil {
		r.judge(now)
	} else if from, to, ok := r.choose(now); ok {
		r.trial = &trial{from: from, to: to, missed: now[from].Moved + now[to].Moved, left: settle}
		r.move(from, to)
	}
	return slices.Clone(r.ways)
}

func (r *Repartition) move(from, to int) {
	r.ways[from]--
	r.ways[to]++
}

// judge ends a trial when the caches have filled.
func (r *Repartition) judge(now []Reading) {
	t := r.trial
	if t.left--; t.left > 0 {
		return
	}
	r.trial = nil
	if now[t.from].Moved+now[t.to].Moved <= t.missed*(1-worth) {
		r.pause[t.to] = 0
		return
	}
	r.move(t.to, t.from)
	r.pause[t.to] = min(max(2*r.pause[t.to], shortRest), longRest)
	r.rest[t.to] = r.pause[t.to]
}

// choose finds the class that misses most, of those that could use a way, and the one that
// misses least, of those that can spare one.
func (r *Repartition) choose(now []Reading) (from, to int, ok bool) {
	from, to = -1, -1
	for i, c := range now {
		if r.rest[i] == 0 && c.Filled >= full && (to < 0 || c.Moved > now[to].Moved) {
			to = i
		}
	}
	for i, c := range now {
		if i != to && r.ways[i] > r.least[i] && (from < 0 || c.Moved < now[from].Moved) {
			from = i
		}
	}
	return from, to, from >= 0 && to >= 0 && now[from].Moved < now[to].Moved
}
