// SPDX-License-Identifier: Apache-2.0

package throttle

// sharer divides a level of throttling among CPUs: those that cause more
// traffic idle longer.
type sharer struct {
	most   float64
	demand []float64 // what each would cause if it were not throttled, smoothed
}

// What of a new demand is believed at once.
const believed = 0.3

// divide writes shares for a level from 0 to 1: at 1 the CPU with the most
// traffic idles for as much as is allowed.
func (h *sharer) divide(level float64, s *Sample, idle []float64) {
	if len(h.demand) != len(s.CPUs) {
		h.demand = make([]float64, len(s.CPUs))
		for i, c := range s.CPUs {
			h.demand[i] = c.Traffic
		}
	}
	heaviest := 0.0
	for i, c := range s.CPUs {
		// What was idle caused nothing.
		d := c.Traffic
		if s.Traffic == Counted {
			d /= max(1-idle[i], 0.05)
		}
		h.demand[i] += believed * (d - h.demand[i])
		heaviest = max(heaviest, h.demand[i])
	}
	for i, d := range h.demand {
		idle[i] = 0
		if heaviest > 0 {
			idle[i] = min(level*h.most*d/heaviest, h.most)
		}
	}
}

func (h *sharer) reset() { h.demand = h.demand[:0] }
