// SPDX-License-Identifier: Apache-2.0

package throttling

import (
	"fmt"
	"strings"
	"time"

	"github.com/vlibos/vlibos/throttle"
)

// State is whether CPUs idle for a part of their background time, and the reason if
// they do not.
type State string

// The states. In all but Closed no CPU idles.
const (
	Closed  State = "closed"  // CPUs idle for a part of their background time
	Enough  State = "policy"  // memory is fast enough for the policy
	Warming State = "warming" // there is no latency yet
	Blind   State = "source"  // the source of latency is not healthy
	Late    State = "late"    // a decision is overdue
)

// States are all states.
var States = []State{Closed, Enough, Warming, Blind, Late}

// Status is what the loop measures and decides.
type Status struct {
	Source  string        `json:"source"`
	Policy  string        `json:"policy"`
	Period  time.Duration `json:"period_ns"`
	State   State         `json:"state"`
	Health  string        `json:"health"`
	Problem string        `json:"problem,omitempty"` // the last one
	Latency float64       `json:"latency_ns"`        // average of the last period
	Traffic string        `json:"traffic"`           // how each CPU's traffic is measured
	CPUs    []CPU         `json:"cpus"`
	// Counts since the loop began.
	Decisions uint64 `json:"decisions"`
	Throttled uint64 `json:"throttled"` // decisions that let a CPU idle
	Unhealthy uint64 `json:"unhealthy"` // decisions without a healthy source
	Dropped   uint64 `json:"dropped"`   // policies that failed and were replaced
	Stuck     uint64 `json:"stuck"`     // decisions that were overdue

	unhealthy bool // the source's health opens all CPUs
}

// CPU is one that may be throttled.
type CPU struct {
	ID      int     `json:"id"`
	Idle    float64 `json:"idle"`    // share of the period without background time
	Traffic float64 `json:"traffic"` // requests a second; 1 if not known
}

// Status returns the status of now. It is safe for concurrent use.
func (l *Loop) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.status
	s.CPUs = append([]CPU{}, s.CPUs...)
	s.State = s.state(l.late())
	return s
}

func (s *Status) state(late bool) State {
	for _, c := range s.CPUs {
		if c.Idle > 0 {
			return Closed
		}
	}
	switch {
	case late:
		return Late
	case s.unhealthy:
		return Blind
	case s.Decisions == 0 || s.Health == throttle.Warming.String():
		return Warming
	}
	return Enough
}

// String returns the status as one line for people.
func (s Status) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, policy %s, latency ", s.Source, s.Policy)
	if s.Latency > 0 {
		fmt.Fprintf(&b, "%.0f ns", s.Latency)
	} else {
		b.WriteString("-")
	}
	switch s.State {
	case Closed:
		b.WriteString(", closed: background idles")
		for i, c := range s.CPUs {
			if i > 0 {
				b.WriteString(",")
			}
			fmt.Fprintf(&b, " CPU %d %.0f %%", c.ID, 100*c.Idle)
		}
	case Enough:
		b.WriteString(", open: memory is fast enough for the policy")
	case Warming:
		b.WriteString(", open: no latency is measured yet")
	case Blind:
		fmt.Fprintf(&b, ", open: the source is not healthy: %s", s.Health)
	case Late:
		b.WriteString(", open: a decision is overdue")
	}
	return b.String()
}
