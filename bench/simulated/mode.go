// SPDX-License-Identifier: Apache-2.0

package simulated

import (
	"time"

	"github.com/vlibos/vlibos/bench/corunner"
	"github.com/vlibos/vlibos/throttle/bussim"
)

// turn is how long the bus takes for an access.
const turn = 100 * time.Nanosecond

// job is a program on the other core.
type job struct {
	name string
	core bussim.Core
}

// jobs are a program that only writes to memory, four lines at a time, as m_jump does, and
// one that computes between its accesses, as a compression does. Both are assumptions.
var jobs = []job{
	{"mjump", bussim.Core{Parallel: 4}},
	{"compression", bussim.Core{Parallel: 1, Think: 300 * time.Nanosecond}},
}

// capped is the part of its core, or of its traffic, that the job keeps under the cap
// and the policy rate.
const capped = 0.3

// mode is a way to control the job.
type mode struct {
	name   string
	policy string // of the throttle; "" is none
	// period is the time between the throttle's decisions.
	period time.Duration
	// stops is the period at the beginning of which the job is idle for its share.
	// The daemon has one period for both.
	stops time.Duration
	idle  float64 // the share, without a throttle
	felt  bool    // the throttle looks at the service's own 99th percentile
}

const (
	usual    = 10 * time.Millisecond // the daemon's period, and that of credit2's caps
	shortest = time.Millisecond      // that the daemon may have
	// longest has room for some requests that are slower than the 99th percentile.
	longest = 100 * time.Millisecond
)

// modes are all modes. Those with a time in their names differ from those of the same names
// without it in how often the job stops and resumes.
var modes = []mode{
	{name: corunner.Alone, period: usual, stops: usual, idle: 1},
	{name: corunner.Uncontrolled, period: usual, stops: usual},
	{name: "capped", period: usual, stops: usual, idle: 1 - capped},
	{name: "rate", policy: "rate", period: usual, stops: usual},
	{name: "threshold", policy: "threshold", period: usual, stops: usual},
	{name: "feedback", policy: "feedback", period: usual, stops: usual},
	{name: "felt", policy: "feedback", period: longest, stops: longest, felt: true},
	{name: "felt10ms", policy: "feedback", period: longest, stops: usual, felt: true},
	{name: "felt1ms", policy: "feedback", period: longest, stops: shortest, felt: true},
	{name: "rate1ms", policy: "rate", period: usual, stops: shortest},
	{name: "threshold1ms", policy: "threshold", period: usual, stops: shortest},
	{name: "feedback1ms", policy: "feedback", period: usual, stops: shortest},
}
