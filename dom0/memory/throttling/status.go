// SPDX-License-Identifier: Apache-2.0

package throttling

import (
	"fmt"
	"strings"
	"time"

	"github.com/vlibos/vlibos/throttle"
)

// State is whether background time is given away, and why not.
type State string

// The states. All but Closed are open: no CPU idles.
const (
	Closed  State = "closed"  // CPUs idle for a part of their background time
	Enough  State = "policy"  // the policy wants no CPU to idle: memory is fast enough for it
	Warming State = "warming" // there is no latency yet
	Blind   State = "source"  // the source of latency is not healthy
	Late    State = "late"    // no decision came for long
)

// States are all that there are.
var States = []State{Closed, Enough, Warming, Blind, Late}

// Status is what the loop sees and does.
type Status struct {
	Source  string        `json:"source"`
	Policy  string        `json:"policy"`
	Period  time.Duration `json:"period_ns"`
	State   State         `json:"state"`
	Health  string        `json:"health"`
	Problem string        `json:"problem,omitempty"` // the last one
	Latency float64       `json:"latency_ns"`        // average of the last period
	Traffic string        `json:"traffic"`           // how that of each CPU is known
	CPUs    []CPU         `json:"cpus"`
	// Counts since the loop began.
	Decisions uint64 `json:"decisions"`
	Throttled uint64 `json:"throttled"` // of them: some CPU idles
	Unhealthy uint64 `json:"unhealthy"` // of them: the source was not healthy
	Dropped   uint64 `json:"dropped"`   // policies
	Stuck     uint64 `json:"stuck"`     // times that no decision came for long

	hopeless bool // the health opens all
}

// CPU is one that may be throttled.
type CPU struct {
	ID      int     `json:"id"`
	Idle    float64 `json:"idle"`    // share of the period without background time
	Traffic float64 `json:"traffic"` // requests a second, or 1 where it is not known
}

// Status may be asked for at any time.
func (l *Loop) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.status
	s.CPUs = append([]CPU{}, s.CPUs...)
	s.State = s.state(!l.round.IsZero() && time.Since(l.round) >= l.patience())
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
	case s.hopeless:
		return Blind
	case s.Decisions == 0 || s.Health == throttle.Warming.String():
		return Warming
	}
	return Enough
}

// String is the status in a line, for people.
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
		b.WriteString(", open: the policy wants nobody to idle")
	case Warming:
		b.WriteString(", open: there is no latency yet")
	case Blind:
		fmt.Fprintf(&b, ", open: the source is not healthy: %s", s.Health)
	case Late:
		b.WriteString(", open: no decision came for long")
	}
	return b.String()
}
