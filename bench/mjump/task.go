// SPDX-License-Identifier: Apache-2.0

package mjump

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// Batch is the argument of the program that never ends by itself.
const Batch = "batch"

// Work is what the task has done.
type Work struct {
	Writes uint64        // each to another line of memory
	Used   time.Duration // of its own CPU time, which was all foreground
}

// PerSecond is writes per second of foreground time.
func (w Work) PerSecond() float64 { return float64(w.Writes) / w.Used.Seconds() }

// Task is the program as a real-time task, run Jobs times: once every Period, at
// the multiples of it on CLOCK_MONOTONIC, for a Budget of its own CPU time.
// Before that it runs for Warm, as any other program, uncounted.
type Task struct {
	Warm, Budget, Period time.Duration
	Jobs                 int
}

// Run runs it. It calls ready when the program has its memory, and begin when it
// has warmed up: the first job is at the multiple of the period that comes next
// after begin has returned.
func (t Task) Run(ctx context.Context, program string, ready, begin func() error) (w Work, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "task", ns(t.Warm), ns(t.Budget), ns(t.Period), fmt.Sprint(t.Jobs))
	in, err := cmd.StdinPipe()
	if err != nil {
		return w, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return w, err
	}
	if err := cmd.Start(); err != nil {
		return w, fmt.Errorf("run m_jump: %w", err)
	}
	err = w.follow(bufio.NewReader(out), in, ready, begin)
	if err != nil {
		cancel() // whatever it does, nobody reads it
	}
	return w, errors.Join(err, cmd.Wait())
}

func ns(d time.Duration) string { return fmt.Sprint(int64(d)) }

// follow does what the program waits for, and reads what it has done.
func (w *Work) follow(out *bufio.Reader, in io.Writer, ready, begin func() error) error {
	for _, step := range []struct {
		said string
		then func() error
	}{{"ready\n", ready}, {"warm\n", begin}} {
		line, err := out.ReadString('\n')
		if err != nil || line != step.said {
			return fmt.Errorf("m_jump said %q: %w", line, errors.Join(err, errNotReady))
		}
		if err := step.then(); err != nil {
			return err
		}
		if _, err := io.WriteString(in, "\n"); err != nil {
			return fmt.Errorf("let m_jump go on: %w", err)
		}
	}
	var used int64
	if _, err := fmt.Fscan(out, &w.Writes, &used); err != nil {
		return fmt.Errorf("what m_jump has done: %w", err)
	}
	w.Used = time.Duration(used)
	return nil
}

var errNotReady = errors.New("it is not ready")
