// SPDX-License-Identifier: Apache-2.0

package mjump

import (
	"context"
	"fmt"
	"os/exec"
	"time"
)

// Batch is the argument of the program that never ends by itself.
const Batch = "batch"

// Work is what the real-time task has done.
type Work struct {
	Writes uint64        // each to another line of memory
	Used   time.Duration // of its own CPU time, which was all foreground
}

// PerSecond is writes per second of foreground time.
func (w Work) PerSecond() float64 { return float64(w.Writes) / w.Used.Seconds() }

// Task runs the program as a real-time task: jobs times, once every period,
// for a budget of its own CPU time.
func Task(ctx context.Context, program string, budget, period time.Duration, jobs int) (Work, error) {
	cmd := exec.CommandContext(ctx, program, "task", fmt.Sprint(int64(budget)), fmt.Sprint(int64(period)), fmt.Sprint(jobs))
	out, err := cmd.Output()
	if err != nil {
		return Work{}, fmt.Errorf("run m_jump: %w", err)
	}
	var w Work
	var used int64
	if _, err := fmt.Sscan(string(out), &w.Writes, &used); err != nil || w.Writes == 0 || used <= 0 {
		return Work{}, fmt.Errorf("m_jump printed %q: %w", out, err)
	}
	w.Used = time.Duration(used)
	return w, nil
}
