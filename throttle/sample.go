// SPDX-License-Identifier: Apache-2.0

package throttle

import "time"

// Health is what a sample can be used for.
type Health int

// The kinds of health. Quiet leaves the throttle as it is; those after it open
// it.
const (
	Good        Health = iota
	Quiet              // nothing was counted for a short time
	Warming            // there is no earlier reading
	Absent             // nothing counts here
	Stuck              // the counters do not move
	Implausible        // a change beyond what memory can do: reset, or wrapped more than once
	Failed             // they could not be read
)

func (h Health) String() string {
	return [...]string{"good", "quiet", "warming up", "absent", "stuck", "implausible", "failed"}[h]
}

// Traffic says how the traffic of each CPU was determined.
type Traffic int

// The kinds of traffic.
const (
	Equal   Traffic = iota // unknown, and taken as equal
	Counted                // the source counts it
)

func (t Traffic) String() string { return [...]string{"taken as equal", "counted"}[t] }

// Sample is the behaviour of memory between two readings.
type Sample struct {
	At      time.Duration // of the later reading
	Span    time.Duration // between them
	Latency float64       // mean ns of a request; at most [Longest]
	Rate    float64       // requests a second
	Health  Health
	Traffic Traffic
	CPUs    []CPU // those that may be throttled
}

// CPU is one CPU's part in a sample.
type CPU struct {
	ID      int
	Traffic float64 // requests a second, at most 1e12; 1 where unknown
}
