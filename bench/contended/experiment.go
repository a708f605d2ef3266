// SPDX-License-Identifier: Apache-2.0

package contended

import (
	"errors"
	"fmt"
	"time"
)

// The CPUs of the machine, and what runs on them.
const (
	taskCPU  = 0 // Dom0: the real-time task, and the throttle's control
	batchCPU = 1 // the vLib OS, with the batch program
)

// The bars of Figure 6, in its order. The other is the batch program.
const (
	alone            = "alone"             // the task runs alone
	master           = "master"            // the other runs in the master, on a reservation
	masterControlled = "master_controlled" // the same, throttled in background
	vlibos           = "vlibos"            // the other runs in a vLib OS, without a reservation
	called           = "called"            // the other is one vLib call, on a reservation, throttled
)

// The bars of a task whose data fit the cache, besides alone and vlibos. What it hits in the
// cache takes no time in the model, but the emulating host's, whose CPUs are slower while both
// work. So alone is beside a program that computes and touches no memory.
const (
	apart     = "apart"     // the other may fill a sixth of the cache, and the task the rest
	throttled = "throttled" // the throttle alone
)

// Experiment says what is measured. It travels to Dom0 as JSON.
type Experiment struct {
	// Utilisations of the task and of the other's reservation, in per cent.
	Utilisations []int
	// Repeats is how often all bars are measured, each time A B B A. Jobs is
	// the length of one measurement in periods.
	Repeats, Jobs int
	// Service is how long a turn on the modelled memory bus lasts.
	Service time.Duration
	// Policy of the throttle: one of [throttle.Policies] that uses latency.
	Policy string
	// Scale multiplies the paper's periods of 100 ms and 90 ms, because an
	// emulated CPU does less in the same time.
	Scale int
	// Quick leaves the bars of the master out and compares latencies: see
	// [Options.quickRecords].
	Quick bool
	// Processor is the emulated processor, whose counters the throttle reads through
	// the module; empty: QEMU's own, and the throttle reads the model of the bus.
	Processor string
	// Fits makes the task's data fit the cache, and measures what cache classes give
	// back to it: see [Options.cacheRecords].
	Fits bool
}

// fits is less than half of the cache of each processor.
const fits = 1 << 20

// bars returns the bars that are measured.
func (e Experiment) bars() []string {
	if e.Fits {
		return []string{alone, vlibos, apart, throttled}
	}
	if e.Quick {
		return []string{alone, vlibos, called}
	}
	return []string{alone, master, masterControlled, vlibos, called}
}

// The paper's periods. They differ, so that the two do not run in step.
const (
	taskPeriod  = 100 * time.Millisecond
	otherPeriod = 90 * time.Millisecond
)

// Periods returns the task's period and that of the other's reservation.
func (e Experiment) Periods() (task, other time.Duration) {
	scale := time.Duration(e.Scale)
	return scale * taskPeriod, scale * otherPeriod
}

func share(period time.Duration, percent int) time.Duration {
	return period * time.Duration(percent) / 100
}

// Check returns an error that says what is wrong with the experiment.
func (e Experiment) Check() error {
	if len(e.Utilisations) == 0 || e.Repeats < 1 || e.Jobs < 1 || e.Scale < 1 || e.Service <= 0 {
		return fmt.Errorf("experiment %+v: want utilisations and positive numbers", e)
	}
	if _, err := e.policy(1); err != nil {
		return err
	}
	if e.Fits && e.Processor == "" {
		return errors.New("experiment: cache classes need an emulated processor that has them")
	}
	for _, u := range e.Utilisations {
		if u < 1 || u > 80 {
			return fmt.Errorf("utilisation of %d %%: want 1 to 80", u)
		}
	}
	return nil
}

// Samples are figures by name: the group's name, a dot, the figure's name.
type Samples map[string][]float64

func group(percent int) string { return fmt.Sprintf("u%d", percent) }

// The ends of the names of what is recorded in addition to the task's writes
// per second of foreground time.
const (
	batchRate = ".batch_per_s"     // requests per second of the other's CPU
	latencies = ".task_latency_ns" // mean of the task's CPU
	idleShare = ".idle"            // part of the time in which the throttle stopped the other
	lateShare = ".host_late"       // part of the time on the bus that the emulating host added
)

// allFigures are their names.
var allFigures = []string{batchRate, latencies, idleShare, lateShare}
