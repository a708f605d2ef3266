// SPDX-License-Identifier: Apache-2.0

package contended

import "time"

// controller decides what share of its background time the other's CPU is to be
// idle, from the average memory latency since the last decision; 0 if there
// were too few requests to say.
type controller interface {
	decide(latency time.Duration) (idle float64)
}

// threshold is latency-based throttling in its simplest form (the paper's 4.2):
// above the limit background time is taken away quickly; below, it is given
// back slowly, so that a task that sleeps between its jobs does not find all
// of it given away each time.
type threshold struct {
	limit   time.Duration
	attack  float64 // a decision
	release float64 // a decision
	idle    float64
}

func (t *threshold) decide(latency time.Duration) float64 {
	if latency > t.limit {
		t.idle = min(1, t.idle+t.attack)
	} else {
		t.idle = max(0, t.idle-t.release)
	}
	return t.idle
}

// What the controller of the experiment is set to, in the paper's time.
const (
	controlPeriod = 4 * time.Millisecond
	releaseTime   = 400 * time.Millisecond // from all to nothing
	attackStep    = 0.5
	// limitRatio is above a latency without queueing and below that of two.
	limitRatio = 1.25
)

func (e Experiment) controller() controller {
	return &threshold{
		limit:   time.Duration(limitRatio * float64(e.Service)),
		attack:  attackStep,
		release: float64(controlPeriod) / float64(releaseTime),
	}
}

func (e Experiment) controlPeriod() time.Duration { return time.Duration(e.Scale) * controlPeriod }
