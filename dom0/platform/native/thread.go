// SPDX-License-Identifier: Apache-2.0

package native

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/platform/loop"
)

// maxVisits is on how many CPUs at most a domain's counter is brought up to
// date. On more, it is as of the last tick.
const maxVisits = 8

// thread is the keeper's.
type thread struct {
	realtime bool
	at       int // the CPU on which it stays; -1: on any
}

// start makes the calling thread real-time, so that those whose weight it has
// raised do not keep it from looking at them; else as nice as it may be.
func (t *thread) start() {
	t.at = -1
	t.realtime = loop.Realtime()
}

// hurry makes all of this process real-time, and what it starts: domains in
// foreground, which their keeper left so when it died, must not keep it from
// what it is for.
func hurry() {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return // it is late then, as it is without the right to hurry
	}
	for _, task := range tasks {
		if tid, err := strconv.Atoi(task.Name()); err == nil {
			_ = setScheduler(tid, unix.SCHED_FIFO, loop.Priority)
		}
	}
}

// visit goes to CPUs, where whatever runs is preempted and thereby accounted
// for. It stays on the last: most come back to where they were. Without a
// real-time thread it would have to wait there for what it came to stop.
func (t *thread) visit(cpus []int) {
	if !t.realtime || len(cpus) > maxVisits {
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
