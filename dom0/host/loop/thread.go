// SPDX-License-Identifier: Apache-2.0

package loop

import "golang.org/x/sys/unix"

// maxVisits is on how many CPUs at most counters are brought up to date. On
// more, they are as of the last tick.
const maxVisits = 8

// Thread is the calling one, which its goroutine has locked.
type Thread struct {
	Realtime bool
	Refused  error // why it is not, though it was to be
	at       int   // the CPU on which it stays; -1: on any
}

// Start makes the calling thread real-time, so that those whose weight it has
// raised do not keep it from looking at them; else as nice as it may be.
func (t *Thread) Start() {
	t.at = -1
	t.Refused = Realtime()
	t.Realtime = t.Refused == nil
}

// Visit goes to CPUs, where whatever runs is preempted and thereby accounted
// for. It stays on the last: most come back to where they were. Without a
// real-time thread it would have to wait there for what it came to stop.
func (t *Thread) Visit(cpus []int) {
	if !t.Realtime || len(cpus) > maxVisits {
		return
	}
	for _, c := range cpus {
		if c == t.at {
			continue
		}
		var set unix.CPUSet
		set.Set(c)
		// A CPU that is offline or not allowed has nothing to be
		// accounted for, or is read as of the last tick.
		if unix.SchedSetaffinity(0, &set) == nil {
			t.at = c
		}
	}
}
