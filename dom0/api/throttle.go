// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"strings"
	"time"
)

// ThrottleState is whether CPUs idle for a part of their background time, and the
// reason if they do not.
type ThrottleState string

// The states. In all but ThrottleClosed no CPU idles.
const (
	ThrottleClosed  ThrottleState = "closed"  // CPUs idle for a part of their background time
	ThrottleEnough  ThrottleState = "policy"  // memory is fast enough for the policy
	ThrottleWarming ThrottleState = "warming" // there is no latency yet
	ThrottleBlind   ThrottleState = "source"  // the source of latency is not healthy
	ThrottleLate    ThrottleState = "late"    // a decision is overdue
)

// ThrottleStates are all states.
var ThrottleStates = []ThrottleState{ThrottleClosed, ThrottleEnough, ThrottleWarming, ThrottleBlind, ThrottleLate}

// Throttle is what the throttle measures and decides.
type Throttle struct {
	Source  string        `json:"source"`
	Policy  string        `json:"policy"`
	Period  time.Duration `json:"period_ns"`
	State   ThrottleState `json:"state"`
	Health  string        `json:"health"`
	Problem string        `json:"problem,omitempty"` // the last one
	Latency float64       `json:"latency_ns"`        // average of the last period
	Traffic string        `json:"traffic"`           // how each CPU's traffic is measured
	CPUs    []ThrottleCPU `json:"cpus"`
	// Counts since the throttle started.
	Decisions uint64 `json:"decisions"`
	Throttled uint64 `json:"throttled"` // decisions that let a CPU idle
	Unhealthy uint64 `json:"unhealthy"` // decisions without a healthy source
	Dropped   uint64 `json:"dropped"`   // policies that failed and were replaced
	Stuck     uint64 `json:"stuck"`     // decisions that were overdue
}

// ThrottleCPU is a CPU that may be throttled.
type ThrottleCPU struct {
	ID      int     `json:"id"`
	Idle    float64 `json:"idle"`    // share of the period without background time, 0 to 1
	Traffic float64 `json:"traffic"` // memory requests a second; 1 if not known
}

// String returns the status as one line for people.
func (s Throttle) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, policy %s, latency ", s.Source, s.Policy)
	if s.Latency > 0 {
		fmt.Fprintf(&b, "%.0f ns", s.Latency)
	} else {
		b.WriteString("-")
	}
	switch s.State {
	case ThrottleClosed:
		b.WriteString(", closed: background idles")
		for i, c := range s.CPUs {
			if i > 0 {
				b.WriteString(",")
			}
			fmt.Fprintf(&b, " CPU %d %.0f %%", c.ID, 100*c.Idle)
		}
	case ThrottleEnough:
		b.WriteString(", open: memory is fast enough for the policy")
	case ThrottleWarming:
		b.WriteString(", open: no latency is measured yet")
	case ThrottleBlind:
		fmt.Fprintf(&b, ", open: the source is not healthy: %s", s.Health)
	case ThrottleLate:
		b.WriteString(", open: a decision is overdue")
	}
	return b.String()
}
