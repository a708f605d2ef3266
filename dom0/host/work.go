// SPDX-License-Identifier: Apache-2.0

package host

import "time"

// Gate says whether a domain may run at all.
type Gate string

// The gates. A domain that is never gated has the empty one.
const (
	GateOpen   Gate = "open"
	GateClosed Gate = "closed" // no vCPU runs, or no process of a cgroup
	Paused     Gate = "paused" // by a toolstack, or by a host that has no other means
)

// Work is the CPU time of a domain since it was made, on a reservation or not. What
// a host cannot tell is nil.
type Work struct {
	CPU time.Duration `json:"cpu_ns"`
	// Steal is how long its vCPUs were runnable and did not run, all together, while
	// the gate was open. Of a cgroup it is how long at least one thread waited for a
	// CPU (Documentation/accounting/psi.rst: cpu, some).
	Steal *time.Duration `json:"steal_ns"`
	// Throttled is how long the throttle kept it from running in background: a part of
	// Steal.
	Throttled *time.Duration `json:"throttled_ns"`
	Gate      Gate           `json:"gate,omitempty"`
	// Helpers are what works for it in this system, as far as that can be told apart.
	Helpers []Helper `json:"helpers,omitempty"`
}

// Fact is something that a host has set for a domain, or knows of it, in words.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
