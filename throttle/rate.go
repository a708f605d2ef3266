// SPDX-License-Identifier: Apache-2.0

package throttle

// rate limits the requests of each CPU, as MemGuard does, for comparison. Each
// CPU has a budget for an interval. The demand of each is predicted from the
// past. A CPU that will not need its budget gives the rest to a pool, from
// which CPUs take that will need more. It does not use latency.
type rate struct {
	budget    float64
	most      float64
	predicted []float64
}

func (r *rate) Name() string { return "rate" }
func (r *rate) Reset()       { r.predicted = r.predicted[:0] }

func (r *rate) Decide(s *Sample, idle []float64) {
	if s.Traffic != Counted {
		clear(idle) // there is nothing to limit
		return
	}
	first := len(r.predicted) != len(s.CPUs)
	if first {
		r.predicted = make([]float64, len(s.CPUs))
	}
	var pool, over float64
	for i, c := range s.CPUs {
		d := c.Traffic / max(1-idle[i], 0.05)
		if first {
			r.predicted[i] = d
		}
		r.predicted[i] += believed * (d - r.predicted[i])
		pool += max(r.budget-r.predicted[i], 0)
		over += max(r.predicted[i]-r.budget, 0)
	}
	for i, p := range r.predicted {
		idle[i] = 0
		if p > r.budget {
			granted := r.budget + pool*(p-r.budget)/over
			idle[i] = min(max(1-granted/p, 0), r.most)
		}
	}
}
