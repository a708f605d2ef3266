// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"slices"
)

// Part is one of the things that are compared in a run. Measure returns one
// figure, the smaller or the greater the better: the caller knows.
type Part struct {
	Name    string
	Measure func(ctx context.Context) (float64, error)
}

// Series holds a figure for each part and repeat.
type Series map[string][]float64

// Interleave measures all parts forwards and then backwards (A B … B A),
// repeats times over, so that a machine that becomes faster or slower
// meanwhile does so for all of them. A repeat's figure is the mean of its two.
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
				return nil, err
			}
			v, err := parts[i].Measure(ctx)
			if err != nil {
				return nil, fmt.Errorf("measure %s: %w", parts[i].Name, err)
			}
			sum[i] += v
		}
		for i, p := range parts {
			s[p.Name] = append(s[p.Name], sum[i]/2)
		}
	}
	return s, nil
}

// Median of one part.
func (s Series) Median(name string) float64 { return Quantile(s[name], 0.5) }

// Ratio returns the ratios of part a to part b, one a repeat.
func (s Series) Ratio(a, b string) []float64 {
	ratios := make([]float64, len(s[a]))
	for i := range ratios {
		ratios[i] = s[a][i] / s[b][i]
	}
	return ratios
}

// Compare makes a record's value how many times the figure of part is that of
// base: the median of the repeats, whose spread goes into Raw.
func (r *Record) Compare(s Series, part, base string) {
	ratios := s.Ratio(part, base)
	r.Value, r.Unit = Quantile(ratios, 0.5), "ratio"
	Spread(r.Raw, "ratio", ratios)
}

// Spread adds the figures' quantiles to raw, under name with _p10, _p50 and
// _p90 behind.
func Spread(raw map[string]float64, name string, figures []float64) {
	for _, q := range []struct {
		suffix string
		q      float64
	}{{"_p10", 0.1}, {"_p50", 0.5}, {"_p90", 0.9}} {
		raw[name+q.suffix] = Quantile(figures, q.q)
	}
}

// Quantile returns the q-quantile of figures, of which there must be one at
// least: linear between the two neighbours.
func Quantile(figures []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
