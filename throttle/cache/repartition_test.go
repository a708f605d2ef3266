// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// program is a class with one program: it reuses data of a number of ways, and misses what
// of them does not fit; or it streams, and always misses.
type program struct {
	needs   float64 // ways
	rate    float64 // bytes a second, if all is missed
	streams bool
}

func (p program) reading(ways int) Reading {
	fits := min(float64(ways)/p.needs, 1)
	r := Reading{Filled: min(p.needs/float64(ways), 1), Moved: p.rate * (1 - fits)}
	if p.streams {
		r = Reading{Filled: 1, Moved: p.rate}
	}
	return r
}

// run makes decisions, and returns the ways at the end and how often they changed in the
// second half.
func run(t *testing.T, r *Repartition, all []program, decisions int) (ways []int, changes int) {
	t.Helper()
	ways = slices.Clone(r.ways)
	sum := total(ways)
	for n := range decisions {
		now := make([]Reading, len(all))
		for i, p := range all {
			now[i] = p.reading(ways[i])
		}
		next := r.Next(now)
		for i, w := range next {
			if w < r.least[i] {
				t.Fatalf("class %d has %d ways of at least %d", i, w, r.least[i])
			}
		}
		if total(next) != sum {
			t.Fatalf("%v of %d ways", next, sum)
		}
		if !slices.Equal(next, ways) && n >= decisions/2 {
			changes++
		}
		ways = next
	}
	return ways, changes
}

func total(ways []int) (sum int) {
	for _, w := range ways {
		sum += w
	}
	return sum
}

func missed(all []program, ways []int) (sum float64) {
	for i, p := range all {
		sum += p.reading(ways[i]).Moved
	}
	return sum
}

func TestWaysGoWhereTheySaveMisses(t *testing.T) {
	for _, tt := range []struct {
		name string
		all  []program
		want []int // from six and six, at least two
	}{
		{"beside a class that leaves ways empty", []program{{needs: 9, rate: 1e9}, {needs: 1, rate: 1e9}}, []int{9, 3}},
		{"no further than the least", []program{{needs: 20, rate: 1e9}, {needs: 1, rate: 1e8}}, []int{10, 2}},
		{"beside an idle class", []program{{needs: 5, rate: 1e9}, {needs: 1}}, []int{6, 6}},
		{"a streamer gets none", []program{{needs: 6, rate: 1e8}, {rate: 1e10, streams: true}}, []int{6, 6}},
		{"two alike", []program{{needs: 12, rate: 1e9}, {needs: 12, rate: 1e9}}, []int{6, 6}},
	} {
		r := NewRepartition([]int{6, 6}, []int{2, 2})
		run(t, r, tt.all, 400)
		for r.trial != nil { // a trial that fails is taken back
			run(t, r, tt.all, 1)
		}
		if !slices.Equal(r.ways, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, r.ways, tt.want)
		}
	}
}

// Whatever the programs: the sum stays, no class has less than its least, all together miss no
// more than at first, and decisions come to rest.
func TestRepartitionHasItsLimits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		n := 2 + rng.IntN(4)
		ways, least, all := make([]int, n), make([]int, n), make([]program, n)
		for i := range n {
			least[i] = 1 + rng.IntN(3)
			ways[i] = least[i] + rng.IntN(6)
			all[i] = program{needs: 0.1 + 15*rng.Float64(), rate: 1e9 * rng.Float64(), streams: rng.IntN(4) == 0}
		}
		r := NewRepartition(ways, least)
		before := missed(all, ways)
		_, changes := run(t, r, all, 1200)
		for r.trial != nil {
			run(t, r, all, 1)
		}
		if after := missed(all, r.ways); after > before {
			t.Fatalf("%v misses %.0f with %v, and %.0f with %v", all, before, ways, after, r.ways)
		}
		// Two changes a failed trial, and rests of 128 decisions for each class.
		if most := 2 * n * (600/longRest + 2); changes > most {
			t.Fatalf("%v: %d changes in 600 decisions, at most %d", all, changes, most)
		}
	}
}

// A program that changes gets ways again.
func TestRepartitionFollowsAChange(t *testing.T) {
	r := NewRepartition([]int{6, 6}, []int{2, 2})
	run(t, r, []program{{needs: 9, rate: 1e9}, {needs: 1, rate: 1e9}}, 100)
	ways, _ := run(t, r, []program{{needs: 1, rate: 1e9}, {needs: 10, rate: 1e9}}, 400)
	if ways[1] < 9 {
		t.Errorf("%v", ways)
	}
}
