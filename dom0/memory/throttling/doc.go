// SPDX-License-Identifier: Apache-2.0

// Package throttling is the master's control loop. In each period it reads a source
// of memory latency, lets a controller decide how long each CPU idles, and has the
// host carry that out. It opens all CPUs when it ends, when the source is not
// healthy, and when a decision is overdue. When the master is dead, the host opens
// them by itself.
package throttling
