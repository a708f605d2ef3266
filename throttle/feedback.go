// SPDX-License-Identifier: Apache-2.0

package throttle

// feedback keeps a latency with as little idling as possible. It is a PI
// controller in velocity form, so that nothing winds up while the output is at
// a bound. How steeply latency follows the level differs between hosts and
// loads, so the gain is halved when the error changes its sign, and grows while
// it does not.
type feedback struct {
	target float64
	share  sharer
	level  float64
	gain   float64
	err    float64
	run    int
}

const (
	proportional = 0.2
	integral     = 0.3
	leastGain    = 1.0 / 64
	// A larger error is a change of the load, and not an oscillation.
	newLoad = 0.5
	// A smaller error counts as none.
	holding = 0.01
)

func (f *feedback) Name() string { return "feedback" }

func (f *feedback) Reset() {
	f.level, f.gain, f.err, f.run = 0, 1, 0, 0
	f.share.reset()
}

func (f *feedback) Decide(s *Sample, idle []float64) {
	e := min(max(s.Latency/f.target-1, -1), 1)
	switch {
	case e > newLoad:
		f.gain, f.run = 1, 0
	case e*f.err < 0:
		f.gain, f.run = max(f.gain/2, leastGain), 0
	default:
		if f.run++; f.run > 8 {
			f.gain = min(f.gain*1.1, 1)
		}
	}
	if e > holding || e < -holding {
		f.level += f.gain * (integral*e + proportional*(e-f.err))
	}
	f.level = min(max(f.level, 0), 1)
	f.err = e
	f.share.divide(f.level, s, idle)
}
