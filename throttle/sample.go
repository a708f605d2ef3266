// SPDX-License-Identifier: Apache-2.0

package throttle

import "time"

// Health says what a sample can be used for.
type Health int

// The kinds of health. Quiet leaves the throttle as it is; all behind it open it.
const (
	Good        Health = iota
	Quiet              // nothing was counted since, and that is not for long yet
	Warming            // there is no earlier reading yet
	Absent             // nothing counts here
	Stuck              // the counters do not move
	Implausible        // they moved by what no memory can do: reset, or wrapped more than once
	Failed             // they could not be read
)

func (h Health) String() string {
	return [...]string{"good", "quiet", "warming up", "absent", "stuck", "implausible", "failed"}[h]
}

// Traffic says how the traffic of each CPU is known.
type Traffic int

// The kinds of traffic.
const (
	Equal   Traffic = iota // it is not known, and taken as equal
	Counted                // the source counts it
)

func (t Traffic) String() string { return [...]string{"taken as equal", "counted"}[t] }

// Sample is what memory did between two readings.
type Sample struct {
	At      time.Duration // of the later reading
	Span    time.Duration // between them
	Latency float64       // ns a request, on average; at most a million
	Rate    float64       // requests a second
	Health  Health
	Traffic Traffic
	CPUs    []CPU // that may be throttled
}

// CPU is the part of one.
type CPU struct {
	ID      int
	Traffic float64 // requests a second, at most 1e12; 1 where it is not known
}
