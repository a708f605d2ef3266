// SPDX-License-Identifier: Apache-2.0

package corunner

import (
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/internal/clock"
)

const (
	// tick is the time between two wake-ups of a process that watches a CPU. A shorter
	// one would be in more of what is measured, which takes microseconds.
	tick = 2 * time.Millisecond
	// mostLate is how late a wake-up may be.
	mostLate = 2 * time.Millisecond
)

// Watcher is the argument that makes a program call [Lateness].
const Watcher = "lateness"

// lateness is the process that watches a CPU.
type lateness struct {
	*counting
	cpu string // in /proc/stat
}

// startLateness starts the process on its CPU.
func startLateness(cpu int, self func(args ...string) *exec.Cmd) (*lateness, error) {
	c, err := startCounting(self(Watcher), func(cmd *exec.Cmd) error { return bench.StartOn(cmd, cpu) })
	if err != nil {
		return nil, fmt.Errorf("watch CPU %d: %w", cpu, err)
	}
	return &lateness{c, fmt.Sprintf("cpu%d", cpu)}, nil
}

// Lateness is the process that watches the CPU that it was started on, until its
// input ends. A timer wakes it, and it counts the wake-ups that are too late. It is
// real-time, so that no job delays it: a late wake-up is the host's, or that of other
// real-time work.
func Lateness(in io.Reader) error {
	memory, err := mapCounts(fdCounts)
	if err != nil {
		return fmt.Errorf("it was not started by an experiment: %w", err)
	}
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	var ended atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, in)
		ended.Store(true)
	}()
	if err := Realtime(); err != nil {
		return err
	}
	for next := clock.Monotonic(); !ended.Load(); {
		next += tick
		clock.Until(next)
		if now := clock.Monotonic(); now-next > mostLate {
			count(memory).Add(1)
			next = now
		}
	}
	return nil
}
