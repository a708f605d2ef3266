// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// rounds makes blocks of a base and a part that takes factor times as long, on a
// machine whose speed changes from round to round.
func rounds(n int, factor, spread float64) Rounds {
	random := rand.New(rand.NewPCG(2, 3))
	r := Rounds{Blocks: make(map[string][]Block), Want: n, Took: 10 * time.Minute}
	for range n {
		speed := 1 + 9*random.Float64()
		for _, of := range []struct { // always in this order: the chances are the same in each run
			name   string
			factor float64
		}{{"base", 1}, {"part", factor}} {
			var b Block
			for range 8 {
				b.Values = append(b.Values, of.factor*speed*math.Exp(spread*random.NormFloat64()))
			}
			r.Blocks[of.name] = append(r.Blocks[of.name], b)
		}
	}
	return r
}

func paired(r Rounds) Record {
	record := Record{Raw: make(map[string]float64)}
	record.Discards(r, "part")
	record.Pair(r, "part", "base", "")
	return record
}

func ratioOf(t *testing.T, r Record, quantile string) Ratio {
	t.Helper()
	ratio, ok := r.Ratio(quantile)
	if !ok {
		t.Fatalf("no ratio at %s: %v", quantile, r.Raw)
	}
	return ratio
}

// A machine that becomes ten times as slow and as fast again hides no difference of a
// tenth between neighbours.
func TestPairsShowADifferenceOnAMachineThatChanges(t *testing.T) {
	for _, factor := range []float64{1.1, 0.9} {
		p50 := ratioOf(t, paired(rounds(100, factor, 0.1)), "p50")
		if !p50.Differs() || p50.Same || p50.More != 0 || math.Abs(p50.Value-factor) > 0.03 || p50.Low > p50.Value || p50.High < p50.Value {
			t.Errorf("%v: %+v", factor, p50)
		}
	}
}

func TestModesThatAreAlikeAreTheSame(t *testing.T) {
	if p50 := ratioOf(t, paired(rounds(100, 1, 0.05)), "p50"); !p50.Same || p50.More != 0 {
		t.Errorf("%+v", p50)
	}
}

// The interval contains the truth about as often as it says.
func TestIntervalContainsTheTruth(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	missed := 0
	const tries = 30
	for range tries {
		r := Rounds{Blocks: make(map[string][]Block), Want: 40}
		for range 40 {
			for _, name := range []string{"part", "base"} {
				shift := math.Exp(0.2 * random.NormFloat64()) // a block's values depend on each other
				var b Block
				for range 5 {
					b.Values = append(b.Values, shift*math.Exp(0.1*random.NormFloat64()))
				}
				r.Blocks[name] = append(r.Blocks[name], b)
			}
		}
		if p50 := ratioOf(t, paired(r), "p50"); p50.Differs() {
			missed++
		}
	}
	if missed > 6 { // 1 or 2 are expected
		t.Errorf("%d of %d intervals exclude the truth", missed, tries)
	}
}

// Without a conclusion the record says how much longer it takes, and that is enough.
func TestInconclusiveSaysHowMuchLonger(t *testing.T) {
	short := rounds(30, 1.04, 1)
	p50 := ratioOf(t, paired(short), "p50")
	if p50.Differs() || p50.Same || p50.More < time.Minute {
		t.Fatalf("%+v", p50)
	}
	for _, c := range []struct {
		ratio Ratio
		edge  float64
		want  float64
	}{
		{Ratio{Value: math.Exp(0.1), Low: math.Exp(-0.1), High: math.Exp(0.3)}, 0, 2},
		{Ratio{Value: math.Exp(-0.1), Low: math.Exp(-0.3), High: math.Exp(0.2)}, 0, 3},
		{Ratio{Value: 1, Low: math.Exp(-0.2), High: math.Exp(0.1)}, 0.1, 2},
		{Ratio{Value: math.Exp(0.2), Low: 1, High: 2}, 0.1, math.Inf(1)},
	} {
		if got := shrink(c.ratio, c.edge); math.Abs(got-c.want) > 1e-9 && got != c.want {
			t.Errorf("%+v within %v: %v, want %v", c.ratio, c.edge, got, c.want)
		}
	}
}

// Counts stand for as many equal values.
func TestCountsStandForValues(t *testing.T) {
	many, few := Rounds{Blocks: map[string][]Block{}, Want: 30}, Rounds{Blocks: map[string][]Block{}, Want: 30}
	for i := range 30 {
		for _, name := range []string{"base", "part"} {
			v := float64(2 + i%3)
			many.Blocks[name] = append(many.Blocks[name], Block{Values: []float64{1, 1, 1, v, v}})
			few.Blocks[name] = append(few.Blocks[name], Block{Values: []float64{1, v}, Counts: []float64{3, 2}})
		}
	}
	if a, b := ratioOf(t, paired(many), "p99"), ratioOf(t, paired(few), "p99"); a != b {
		t.Errorf("%+v, %+v", a, b)
	}
}

// A discarded block takes its pair with it. Too few pairs conclude nothing.
func TestDiscardedBlocksDoNotCount(t *testing.T) {
	r := rounds(60, 2, 0.1)
	for i := range 20 {
		r.Blocks["part"][i].Values = []float64{1e9}
		r.Blocks["part"][i].Discarded = "stolen"
		r.Blocks["base"][i+10].Discarded = "late"
	}
	one := paired(r)
	all, by := one.Discarded()
	if all != 20 || by["stolen"] != 20 || one.Raw["pairs"] != 30 || one.Raw["p999_ratio"] > 4 || one.Noisy() != "" {
		t.Errorf("%v, noisy: %s", one.Raw, one.Noisy())
	}
	if n := len(r.Valid("base")); n != 40 {
		t.Errorf("%d blocks of the base count", n)
	}
	r.Blocks["part"][59].Values = nil // nothing was measured in it
	if why := paired(r).Noisy(); !strings.HasPrefix(why, "29 of 60 pairs of blocks are left") {
		t.Error(why)
	}
	for i := range r.Blocks["base"] {
		r.Blocks["base"][i].Discarded = "late"
	}
	if one := paired(r); one.Noisy() == "" || one.Raw["pairs"] != 0 {
		t.Error(one.Raw)
	}
}

// Each round has each mode once, in an order that the seed alone determines.
func TestSeedDeterminesTheOrderOfRounds(t *testing.T) {
	order := func(seed uint64) (order []string) {
		r, err := MeasureRounds(t.Context(), seed, 20, []string{"a", "b", "c"}, func(string) {}, func(_ context.Context, mode string) (Block, error) {
			order = append(order, mode)
			return Block{}, nil
		})
		if err != nil || r.Len() != 20 || len(r.Blocks["a"]) != 20 {
			t.Fatal(err, r)
		}
		return order
	}
	one := order(1)
	if !slices.Equal(one, order(1)) || slices.Equal(one, order(2)) {
		t.Error("the seed does not determine the order")
	}
	first := make(map[string]int)
	for i := 0; i < len(one); i += 3 {
		first[one[i]]++
		if round := slices.Sorted(slices.Values(one[i : i+3])); !slices.Equal(round, []string{"a", "b", "c"}) {
			t.Errorf("round %v", round)
		}
	}
	if len(first) != 3 {
		t.Errorf("the first of each round: %v", first)
	}
}

// A failed experiment keeps its complete rounds, and nothing is concluded from them.
func TestAFailedExperimentKeepsCompleteRounds(t *testing.T) {
	n, broke := 0, errors.New("it broke")
	r, err := MeasureRounds(t.Context(), 1, 30, []string{"part", "base"}, func(string) {}, func(context.Context, string) (Block, error) {
		if n++; n == 48 {
			return Block{}, broke
		}
		return Block{Values: []float64{1}}, nil
	})
	if !errors.Is(err, broke) || r.Len() != 23 {
		t.Fatal(err, r.Len())
	}
	if why := paired(r).Partial(); why != "the experiment failed after 23 of 30 repeats" {
		t.Error(why)
	}
}
