// SPDX-License-Identifier: Apache-2.0

package throttle

// sharer distributes a level of throttling over CPUs: those that cause more
// traffic idle longer.
type sharer struct {
	most   float64
	demand []float64 // what each would cause without throttling, smoothed
}

// believed is the weight of a new demand.
const believed = 0.3

// divide writes shares for a level from 0 to 1. At 1 the CPU with the most
// traffic idles for the largest share allowed.
func (h *sharer) divide(level float64, s *Sample, idle []float64) {
	if len(h.demand) != len(s.CPUs) {
		h.demand = make([]float64, len(s.CPUs))
		for i, c := range s.CPUs {
			h.demand[i] = c.Traffic
		}
	}
	heaviest := 0.0
	for i, c := range s.CPUs {
		// Idle time caused no traffic.
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
