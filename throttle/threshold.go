// SPDX-License-Identifier: Apache-2.0

package throttle

// threshold is the paper's policy: above a latency, background CPUs idle in
// proportion to the traffic that they cause.
//
//	                  latency ≥ limit
//	open ──────────────────────────────→ tightening ⟲
//	  ↑                                   │      ↑
//	  │ level 0           below the limit │      │ ≥ limit
//	  │                                   ↓      │
//	easing ⟲ ←───────────────────────── holding ─┘
//	        below the limit by slack
//
// To avoid oscillation about the limit, each turn makes its steps smaller;
// several steps in one direction make them larger.
type threshold struct {
	limit float64
	share sharer
	level float64
	step  step
}

// slack is how far below the limit the latency must be before the level is
// lowered.
const slack = 0.1

func (t *threshold) Name() string { return "threshold" }

func (t *threshold) Reset() {
	t.level, t.step = 0, step{}
	t.share.reset()
}

func (t *threshold) Decide(s *Sample, idle []float64) {
	excess := s.Latency/t.limit - 1
	switch {
	case excess >= 0:
		if excess > 0.5 {
			t.step = step{} // this load is new, and not an oscillation
		}
		t.level = min(1, t.level+t.step.up()*min(max(excess, 0.2), 1))
	case excess < -slack:
		t.level = max(0, t.level-t.step.down())
	}
	t.share.divide(t.level, s, idle)
}

// step is the change of a level.
type step struct {
	size float64 // relative to the largest; 0 means 1
	way  int     // direction of the last change
	run  int     // changes in that direction
}

const (
	largestUp   = 0.5
	largestDown = 0.02
	leastSize   = 1.0 / 64
)

func (p *step) up() float64   { return p.turn(1) * largestUp }
func (p *step) down() float64 { return p.turn(-1) * largestDown }

func (p *step) turn(way int) float64 {
	if p.size == 0 {
		p.size = 1
	}
	switch {
	case p.way == -way:
		p.size, p.run = max(p.size/2, leastSize), 0
	case p.run >= 8:
		p.size = min(p.size*1.25, 1)
	}
	p.way = way
	p.run++
	return p.size
}
