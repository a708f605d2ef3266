// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Block is what was measured in one mode for a fraction of a second.
type Block struct {
	// Values are what was measured, and Counts how often each of them was. Without
	// Counts each was measured once.
	Values, Counts []float64
	// Work is what the job did, a second, in its own unit.
	Work float64
	// Discarded names the rule by which the block does not count; "" if it does.
	Discarded string
}

// Rounds are blocks of several modes: one of each mode in each round, so that the
// blocks of a round are neighbours.
type Rounds struct {
	// Seed determines the order of the modes in each round.
	Seed uint64
	// Blocks has one block a round for each mode.
	Blocks map[string][]Block
	// Want is how many rounds there should be. There are fewer after an error.
	Want int
	// Took is the time of all rounds.
	Took time.Duration
}

// MeasureRounds measures each mode once a round, in a random order that the seed
// determines. It calls progress before each round. With an error it returns the rounds
// that were complete.
func MeasureRounds(ctx context.Context, seed uint64, rounds int, modes []string, progress func(string), measure func(ctx context.Context, mode string) (Block, error)) (Rounds, error) {
	r := Rounds{Seed: seed, Blocks: make(map[string][]Block), Want: rounds}
	random := rand.New(rand.NewPCG(seed, 17))
	begin := time.Now()
	for n := range rounds {
		progress(fmt.Sprintf("round %d of %d, in the order of seed %d", n+1, rounds, seed))
		round := make(map[string]Block)
		for _, i := range random.Perm(len(modes)) {
			if err := ctx.Err(); err != nil {
				return r, err
			}
			b, err := measure(ctx, modes[i])
			if err != nil {
				return r, fmt.Errorf("measure %s: %w", modes[i], err)
			}
			round[modes[i]] = b
		}
		for mode, b := range round {
			r.Blocks[mode] = append(r.Blocks[mode], b)
		}
		r.Took = time.Since(begin)
	}
	return r, nil
}

// Len returns the number of complete rounds.
func (r Rounds) Len() int {
	for _, blocks := range r.Blocks {
		return len(blocks)
	}
	return 0
}

// Valid returns the blocks of a mode that count.
func (r Rounds) Valid(mode string) (valid []Block) {
	for _, b := range r.Blocks[mode] {
		if b.Discarded == "" {
			valid = append(valid, b)
		}
	}
	return valid
}

// Work returns the mean work of a mode, a second. It is 0 without a block that counts.
func (r Rounds) Work(mode string) (work float64) {
	valid := r.Valid(mode)
	for _, b := range valid {
		work += b.Work / float64(len(valid))
	}
	return work
}

// pair is a block of each of two modes, from one round.
type pair struct{ part, base Block }

// pairs returns the rounds in which the blocks of both modes count and have values.
func (r Rounds) pairs(part, base string) (all []pair) {
	counts := func(b Block) bool { return b.Discarded == "" && len(b.Values) > 0 }
	for i, p := range r.Blocks[part] {
		if b := r.Blocks[base][i]; counts(p) && counts(b) {
			all = append(all, pair{p, b})
		}
	}
	return all
}
