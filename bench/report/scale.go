// SPDX-License-Identifier: Apache-2.0

package report

import "math"

// scale maps values to positions.
type scale struct {
	from, to float64 // range of values
	a, b     float64 // range of positions
	log      bool
}

// over returns the scale with another range of positions.
func (s scale) over(a, b float64) scale {
	s.a, s.b = a, b
	return s
}

func (s scale) at(v float64) float64 {
	from, to := s.from, s.to
	if s.log {
		v, from, to = math.Log10(max(v, s.from)), math.Log10(from), math.Log10(to)
	}
	share := (v - from) / (to - from)
	return s.a + min(max(share, 0), 1)*(s.b-s.a)
}

// ticks are round values, at most as many as there is room for: steps of 1, 2 or 5,
// or powers of ten with 2 and 5 between.
func (s scale) ticks(room float64) (all []float64) {
	room = max(room, 2)
	if !s.log {
		step := math.Pow(10, math.Floor(math.Log10((s.to-s.from)/room)))
		for _, m := range []float64{1, 2, 5, 10} {
			if (s.to-s.from)/(m*step) <= room {
				step *= m
				break
			}
		}
		for n := math.Floor(s.from/step + 0.9999); n*step <= s.to*1.0001; n++ {
			all = append(all, n*step)
		}
		return all
	}
	for _, steps := range [][]float64{{1, 2, 5}, {1, 5}, {1}} {
		all = nil
		for e := math.Floor(math.Log10(s.from)); e <= math.Ceil(math.Log10(s.to)); e++ {
			for _, m := range steps {
				if v := m * math.Pow(10, e); v >= s.from*0.999 && v <= s.to*1.001 {
					all = append(all, v)
				}
			}
		}
		if float64(len(all)) <= room {
			return all
		}
	}
	var some []float64
	for i, every := 0, int(math.Ceil(float64(len(all))/room)); i < len(all); i += every {
		some = append(some, all[i])
	}
	return some
}

// logScale covers the values in whole steps of 1, 2 and 5.
func logScale(low, high float64) scale {
	round := func(v float64, up bool) float64 {
		p := math.Pow(10, math.Floor(math.Log10(v)))
		steps := []float64{1, 2, 5, 10}
		if up {
			for _, m := range steps {
				if m*p >= v*0.9999 {
					return m * p
				}
			}
		}
		for i := len(steps) - 1; i >= 0; i-- {
			if steps[i]*p <= v*1.0001 {
				return steps[i] * p
			}
		}
		return p
	}
	from, to := round(low, false), round(high, true)
	if from == to {
		to *= 10
	}
	return scale{from: from, to: to, log: true}
}
