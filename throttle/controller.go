// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
)

// ErrPolicy reports that a policy was dropped.
var ErrPolicy = errors.New("policy is dropped")

// DefaultLimit is how long a decision may take. One takes a microsecond; the
// rest allows for delays of a busy machine.
const DefaultLimit = 100 * time.Millisecond

// Controller runs a policy without trusting it. A policy that panics, exceeds
// its time limit or writes an invalid share is dropped for the next of its
// fallbacks, and after the last one for the policy none. All shares are 0 while
// a sample's health is neither good nor quiet.
type Controller struct {
	limit  time.Duration
	report func(error)

	mu        sync.Mutex
	worker    *worker
	fallbacks []Policy

	idle    []float64
	healthy bool
}

// NewController runs the policy. Decide calls report with the reason when it
// drops a policy.
func NewController(p Policy, limit time.Duration, report func(error), fallbacks ...Policy) *Controller {
	return &Controller{limit: limit, report: report, worker: startWorker(p), fallbacks: fallbacks}
}

// Policy is the name of the deciding policy.
func (c *Controller) Policy() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.worker.policy.Name()
}

// Swap makes another policy decide, from the next sample on. It may be called
// while Decide runs, and waits for it.
func (c *Controller) Swap(p Policy, fallbacks ...Policy) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replace(p)
	c.fallbacks = fallbacks
}

func (c *Controller) replace(p Policy) {
	close(c.worker.ask)
	c.worker, c.healthy = startWorker(p), false
}

// Close ends the policy's goroutine. It must be the last call.
func (c *Controller) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.worker.ask)
}

// Decide returns the idle share of each of the sample's CPUs, valid until the
// next call. One goroutine may use it.
func (c *Controller) Decide(s *Sample) []float64 {
	if len(c.idle) != len(s.CPUs) {
		c.idle = make([]float64, len(s.CPUs))
	}
	c.mu.Lock()
	dropped := c.decide(s)
	c.mu.Unlock()
	if dropped != nil {
		c.report(dropped)
	}
	return c.idle
}

// decide returns the reason if it dropped the policy.
func (c *Controller) decide(s *Sample) error {
	if s.Health == Quiet {
		return nil
	}
	if s.Health != Good {
		clear(c.idle)
		c.healthy = false
		return nil
	}
	err := c.worker.decide(s, c.idle, !c.healthy, c.limit)
	if err == nil {
		c.healthy = true
		copy(c.idle, c.worker.idle)
		return nil
	}
	clear(c.idle)
	was := c.worker.policy.Name()
	next := Policy(none{})
	if len(c.fallbacks) > 0 {
		next, c.fallbacks = c.fallbacks[0], c.fallbacks[1:]
	}
	c.replace(next)
	return fmt.Errorf("%w: %s: %w; %s decides from now on", ErrPolicy, was, err, next.Name())
}

// worker runs one policy in a goroutine of its own, which is abandoned if it
// does not return.
type worker struct {
	policy Policy
	ask    chan bool // whether to reset first
	answer chan error
	timer  *time.Timer
	sample Sample
	idle   []float64
}

func startWorker(p Policy) *worker {
	w := &worker{policy: p, ask: make(chan bool, 1), answer: make(chan error, 1), timer: time.NewTimer(time.Hour)}
	go func() {
		for reset := range w.ask {
			w.answer <- w.run(reset)
		}
	}()
	return w
}

// decide stores the result in w.idle. The policy gets copies, so that a late
// one cannot write to anything in use.
func (w *worker) decide(s *Sample, inForce []float64, reset bool, limit time.Duration) (err error) {
	cpus := append(w.sample.CPUs[:0], s.CPUs...)
	w.sample = *s
	w.sample.CPUs = cpus
	w.idle = append(w.idle[:0], inForce...)
	w.ask <- reset
	w.timer.Reset(limit)
	select {
	case err = <-w.answer:
		w.timer.Stop()
		return err
	case <-w.timer.C:
		return fmt.Errorf("no decision within %v", limit)
	}
}

func (w *worker) run(reset bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v", p)
		}
	}()
	n := len(w.idle)
	if reset {
		w.policy.Reset()
	}
	w.policy.Decide(&w.sample, w.idle)
	for i, v := range w.idle[:n] {
		if math.IsNaN(v) || v < 0 || v > 1 {
			return fmt.Errorf("an idle share of %v for CPU %d", v, w.sample.CPUs[i].ID)
		}
	}
	return nil
}
