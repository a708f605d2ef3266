// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"strings"
	"time"
)

// ThrottleState is whether background time is given away, and why not.
type ThrottleState string

// The states. All but ThrottleClosed are open: no CPU idles.
const (
	ThrottleClosed  ThrottleState = "closed"  // CPUs idle for a part of their background time
	ThrottleEnough  ThrottleState = "policy"  // memory is fast enough: the policy lets all CPUs run
	ThrottleWarming ThrottleState = "warming" // there is no latency yet
	ThrottleBlind   ThrottleState = "source"  // the source of latency is not healthy
	ThrottleLate    ThrottleState = "late"    // no decision came for long
)

// ThrottleStates are all states.
var ThrottleStates = []ThrottleState{ThrottleClosed, ThrottleEnough, ThrottleWarming, ThrottleBlind, ThrottleLate}

// Throttle is what the throttle sees and does.
type Throttle struct {
	Source  string        `json:"source"`
	Policy  string        `json:"policy"`
	Period  time.Duration `json:"period_ns"`
	State   ThrottleState `json:"state"`
	Health  string        `json:"health"`
	Problem string        `json:"problem,omitempty"` // the last one
	Latency float64       `json:"latency_ns"`        // average of the last period
	Traffic string        `json:"traffic"`           // how that of each CPU is known
	CPUs    []ThrottleCPU `json:"cpus"`
	// Counts since the throttle started.
	Decisions uint64 `json:"decisions"`
	Throttled uint64 `json:"throttled"` // of the decisions: some CPU idles
	Unhealthy uint64 `json:"unhealthy"` // of the decisions: the source was not healthy
	Dropped   uint64 `json:"dropped"`   // policies
	Stuck     uint64 `json:"stuck"`     // how often no decision came for long
}

// ThrottleCPU is a CPU that may be throttled.
type ThrottleCPU struct {
	ID      int     `json:"id"`
	Idle    float64 `json:"idle"`    // share of the period without background time, 0 to 1
	Traffic float64 `json:"traffic"` // memory requests a second, or 1 where they are not known
}

// String is the status in a line, for people.
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
		b.WriteString(", open: the policy lets all CPUs run")
	case ThrottleWarming:
		b.WriteString(", open: there is no latency yet")
	case ThrottleBlind:
		fmt.Fprintf(&b, ", open: the source is not healthy: %s", s.Health)
	case ThrottleLate:
		b.WriteString(", open: no decision came for long")
	}
	return b.String()
}
