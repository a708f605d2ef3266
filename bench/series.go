// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Part is one of the things that a run compares. Measure returns one figure;
// the caller knows whether smaller or greater is better.
type Part struct {
	Name    string
	Measure func(ctx context.Context) (float64, error)
}

// Series has one figure for each repeat, by the name of the part.
type Series map[string][]float64

// Interleave measures all parts forwards and then backwards (A B … B A), as
// often as repeats says. So a machine that becomes faster or slower during the
// run does so for all parts. A repeat's figure is the mean of its two. With an error
// it returns the repeats that were complete.
func Interleave(ctx context.Context, repeats int, parts []Part) (Series, error) {
	s := make(Series)
	order := make([]int, 0, 2*len(parts))
	for i := range parts {
		order = append(order, i)
	}
	for i := range parts {
		order = append(order, len(parts)-1-i)
	}
	for range repeats {
		sum := make([]float64, len(parts))
		for _, i := range order {
			if err := ctx.Err(); err != nil {
				return s, err
			}
			v, err := parts[i].Measure(ctx)
			if err != nil {
				return s, fmt.Errorf("measure %s: %w", parts[i].Name, err)
			}
			sum[i] += v
		}
		for i, p := range parts {
			s[p.Name] = append(s[p.Name], sum[i]/2)
		}
	}
	return s, nil
}

// Median returns the median of one part's figures.
func (s Series) Median(name string) float64 { return Quantile(s[name], 0.5) }

// Ratio returns the ratios of part a to part b, one for each repeat.
func (s Series) Ratio(a, b string) []float64 {
	ratios := make([]float64, len(s[a]))
	for i := range ratios {
		ratios[i] = s[a][i] / s[b][i]
	}
	return ratios
}

// Compare makes the record's value the ratio of part to base: the median over
// the repeats. The spread of the ratios goes into Raw, and the interval of their
// median.
func (r *Record) Compare(s Series, part, base string) {
	ratios := s.Ratio(part, base)
	r.Value, r.Unit = Quantile(ratios, 0.5), "ratio"
	Spread(r.Raw, "ratio", ratios)
	r.Raw["ratio_low"], r.Raw["ratio_high"] = Bootstrap(ratios)
}

// resamples is how often a bootstrap draws.
const resamples = 2000

// Bootstrap returns the interval in which the median of figures lies with a
// probability of 95 %: the percentile bootstrap (Efron 1979). Equal figures have
// equal intervals.
func Bootstrap(figures []float64) (low, high float64) {
	random := rand.New(rand.NewPCG(1, uint64(len(figures))))
	medians, drawn := make([]float64, resamples), make([]float64, len(figures))
	for i := range medians {
		for j := range drawn {
			drawn[j] = figures[random.IntN(len(figures))]
		}
		medians[i] = Quantile(drawn, 0.5)
	}
	return Quantile(medians, 0.025), Quantile(medians, 0.975)
}

// Spread adds the figures' 10th, 50th and 90th percentiles to raw, under name
// with _p10, _p50 and _p90 appended.
func Spread(raw map[string]float64, name string, figures []float64) {
	for _, q := range []struct {
		suffix string
		q      float64
	}{{"_p10", 0.1}, {"_p50", 0.5}, {"_p90", 0.9}} {
		raw[name+q.suffix] = Quantile(figures, q.q)
	}
}

// Quantile returns the q-quantile of figures, interpolated linearly between
// the two neighbours. There must be at least one figure.
func Quantile(figures []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
