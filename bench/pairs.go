// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// compared are the quantiles of which [Record.Pair] takes ratios, in ascending order.
// The first two decide; the last is only shown.
var compared = []struct {
	name string
	q    float64
}{{"p50", 0.5}, {"p99", 0.99}, {"p999", 0.999}}

const (
	// leastPairs is how many pairs of blocks a conclusion needs.
	leastPairs = 20
	// alike is the greatest difference, as a part, at which two modes are called
	// the same.
	alike = 0.05
	// least is by which part an interval must exclude 1. Smaller differences are those
	// of counting.
	least = 0.005
)

// pool is the values of some blocks, sorted, and how many each pair of blocks has.
type pool struct {
	values []weighed
	totals []float64
}

// weighed is a value of one pair of blocks, and how often it was measured.
type weighed struct {
	value, count float64
	pair         int
}

// newPool has the values of the chosen block of each pair, each divided by the median
// of its pair's base: what slows down all blocks of a round cancels.
func newPool(pairs []pair, block func(pair) Block) *pool {
	p := new(pool)
	for _, one := range pairs {
		var base pool
		base.add(one.base, 1)
		base.sort()
		p.add(block(one), base.quantiles([]float64{1}, 0.5)[0])
	}
	p.sort()
	return p
}

// add adds the values of the next pair's block, divided by a unit.
func (p *pool) add(b Block, unit float64) {
	total := 0.0
	for i, v := range b.Values {
		w := weighed{v / unit, 1, len(p.totals)}
		if b.Counts != nil {
			w.count = b.Counts[i]
		}
		total += w.count
		p.values = append(p.values, w)
	}
	p.totals = append(p.totals, total)
}

func (p *pool) sort() {
	slices.SortFunc(p.values, func(a, b weighed) int { return cmp.Compare(a.value, b.value) })
}

// quantiles returns the quantiles, which ascend, if each pair is there as often as its
// weight says.
func (p *pool) quantiles(weights []float64, qs ...float64) []float64 {
	var total, sum float64
	for i, w := range weights {
		total += w * p.totals[i]
	}
	found := make([]float64, 0, len(qs))
	for _, v := range p.values {
		for sum += v.count * weights[v.pair]; len(found) < len(qs) && sum >= qs[len(found)]*total; {
			found = append(found, v.value)
		}
		if len(found) == len(qs) {
			break
		}
	}
	return found
}

// Pair notes the ratios of part's quantiles to base's, over the rounds in which both
// blocks count, with the intervals in which they lie with a probability of 95 %. The
// names of the raw numbers begin with prefix. The bootstrap draws pairs of blocks,
// because the values of one block depend on each other.
func (r *Record) Pair(rounds Rounds, part, base, prefix string) {
	pairs := rounds.pairs(part, base)
	r.Raw[prefix+"pairs"] = float64(len(pairs))
	if len(pairs) == 0 {
		return
	}
	parts, bases := newPool(pairs, func(p pair) Block { return p.part }), newPool(pairs, func(p pair) Block { return p.base })
	var qs []float64
	for _, c := range compared {
		qs = append(qs, c.q)
	}
	ratios := func(weights []float64) []float64 {
		p, b := parts.quantiles(weights, qs...), bases.quantiles(weights, qs...)
		for i := range p {
			p[i] /= b[i]
		}
		return p
	}
	weights := slices.Repeat([]float64{1}, len(pairs))
	values := ratios(weights)
	drawn := make([][]float64, len(qs))
	random := rand.New(rand.NewPCG(1, uint64(len(pairs))))
	for range resamples {
		clear(weights)
		for range pairs {
			weights[random.IntN(len(pairs))]++
		}
		for i, v := range ratios(weights) {
			drawn[i] = append(drawn[i], v)
		}
	}
	for i, c := range compared {
		name := prefix + c.name + "_ratio"
		r.Raw[name], r.Raw[name+"_low"], r.Raw[name+"_high"] = values[i], Quantile(drawn[i], 0.025), Quantile(drawn[i], 0.975)
	}
	r.Raw["rounds_took_s"] = rounds.Took.Seconds()
}

// Discards notes the record's rounds, their order, and how many of the mode's blocks
// were discarded, by rule.
func (r *Record) Discards(rounds Rounds, mode string) {
	r.Repeated(rounds.Len(), rounds.Want)
	r.Raw["seed"] = float64(rounds.Seed)
	for _, b := range rounds.Blocks[mode] {
		if b.Discarded != "" {
			r.Raw[discarded+b.Discarded]++
		}
	}
}

const discarded = "discarded_"

// Discarded returns how many blocks of the record were discarded, in all and by rule.
func (r Record) Discarded() (all float64, by map[string]float64) {
	by = make(map[string]float64)
	for name, n := range r.Raw {
		if rule, ok := strings.CutPrefix(name, discarded); ok {
			by[rule] = n
			all += n
		}
	}
	return all, by
}

// Ratio is a ratio of two modes at one quantile.
type Ratio struct {
	Value, Low, High float64
	// Same says that the interval is within 5 % of 1.
	Same bool
	// More is how much longer the experiment must be for a conclusion. It is 0 if
	// there is one.
	More time.Duration
}

// Differs says that the interval excludes 1, by more than 0.5 %.
func (r Ratio) Differs() bool { return r.Low > 1+least || r.High < 1-least }

// Ratio returns the ratio at a quantile, "p50", "p99" or "p999" after the prefix,
// that [Record.Pair] has noted. ok is false if it has not.
func (r Record) Ratio(quantile string) (ratio Ratio, ok bool) {
	name := quantile + "_ratio"
	value, ok := r.Raw[name]
	if !ok {
		return Ratio{}, false
	}
	ratio = Ratio{Value: value, Low: r.Raw[name+"_low"], High: r.Raw[name+"_high"]}
	ratio.Same = ratio.Low >= 1/(1+alike) && ratio.High <= 1+alike
	if !ratio.Same && !ratio.Differs() {
		longer := min(shrink(ratio, 0), shrink(ratio, math.Log1p(alike)))
		ratio.More = time.Duration((longer*longer - 1) * r.Raw["rounds_took_s"] * float64(time.Second)).Round(time.Minute)
		ratio.More = max(ratio.More, time.Minute)
	}
	return ratio, true
}

// shrink returns by which factor the interval's width must shrink about the ratio, on
// a logarithmic scale, until it does not contain 1, with an edge of 0, or until it is
// within edge of 1. The width shrinks with the square root of the number of pairs.
func shrink(r Ratio, edge float64) float64 {
	at, below, above := math.Log(r.Value), math.Log(r.Value/r.Low), math.Log(r.High/r.Value)
	switch {
	case edge == 0 && at > 0:
		return below / at
	case edge == 0:
		return above / -at
	case math.Abs(at) >= edge:
		return math.Inf(1)
	}
	return max(below/(edge+at), above/(edge-at))
}
