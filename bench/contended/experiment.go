// SPDX-License-Identifier: Apache-2.0

package contended

import (
	"fmt"
	"time"
)

// The CPUs of the machine, and who is on them.
const (
	taskCPU  = 0 // Dom0: the real-time task, and the throttle's control
	batchCPU = 1 // the vLib OS, with the batch program
)

// The bars of Figure 6, in its order.
const (
	alone            = "alone"             // nobody beside the task
	master           = "master"            // the other on a reservation of the master's
	masterControlled = "master_controlled" // and throttled in background
	vlibos           = "vlibos"            // the other in a vLib OS, without a reservation
	called           = "called"            // by one vLib call, on a reservation, throttled
)

// Experiment is what is measured. It travels to Dom0 as JSON.
type Experiment struct {
	// Utilisations of the task and of the other's reservation, in per cent.
	Utilisations []int
	// Repeats is how often all bars are measured, each time A B B A. Jobs is
	// how many periods one measurement lasts.
	Repeats, Jobs int
	// Service is how long a turn on the modelled memory bus lasts.
	Service time.Duration
	// Policy of the throttle, one of [throttle.Policies] that goes by latency.
	Policy string
	// Scale stretches the paper's periods of 100 ms and 90 ms, as an emulated
	// CPU does less in them.
	Scale int
	// Quick leaves out the bars in the master, and compares latencies: see
	// [Options.quickRecords].
	Quick bool
}

// bars that are measured.
func (e Experiment) bars() []string {
	if e.Quick {
		return []string{alone, vlibos, called}
	}
	return []string{alone, master, masterControlled, vlibos, called}
}

// Paper's periods. They differ, so that the two do not fall into step.
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

// Check says what is wrong with it.
func (e Experiment) Check() error {
	if len(e.Utilisations) == 0 || e.Repeats < 1 || e.Jobs < 1 || e.Scale < 1 || e.Service <= 0 {
		return fmt.Errorf("experiment %+v: expected utilisations, and positive numbers", e)
	}
	if _, err := e.policy(); err != nil {
		return err
	}
	for _, u := range e.Utilisations {
		if u < 1 || u > 80 {
			return fmt.Errorf("utilisation of %d %%: expected 1 to 80", u)
		}
	}
	return nil
}

// Samples are figures by name: the group's, a dot, the figure's.
type Samples map[string][]float64

func group(percent int) string { return fmt.Sprintf("u%d", percent) }

// The ends of the names of what is noted beside the task's writes per second of
// foreground time.
const (
	batchRate = ".batch_per_s"     // requests of the other's CPU, per second
	latencies = ".task_latency_ns" // average of the task's CPU
	idleShare = ".idle"            // part of the time that the other was denied
	lateShare = ".host_late"       // of the time on the bus: the host's doing
)
