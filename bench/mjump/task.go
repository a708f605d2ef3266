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

// Batch is the argument that makes the program run without end.
const Batch = "batch"

// Work is what the task has done.
type Work struct {
	Writes uint64        // number of writes, each to another line of memory
	Used   time.Duration // its CPU time, all of it in foreground
}

// PerSecond returns the number of writes per second of foreground time.
func (w Work) PerSecond() float64 { return float64(w.Writes) / w.Used.Seconds() }

// Task is the program as a real-time task. It runs Jobs times: once every
// Period, at the multiples of it on CLOCK_MONOTONIC, for a Budget of its own CPU
// time. Before that it runs for Warm, uncounted, as any other program.
type Task struct {
	Warm, Budget, Period time.Duration
	Jobs                 int
	// Bytes is how much memory it writes to, a multiple of 8 KiB; 0: 6 MiB.
	Bytes int
}

// Run runs the task. It calls ready when the program has its memory, and begin
// when it has warmed up. The first job is at the next multiple of the period
// after begin has returned.
func (t Task) Run(ctx context.Context, program string, ready, begin func() error) (w Work, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	args := []string{"task", ns(t.Warm), ns(t.Budget), ns(t.Period), fmt.Sprint(t.Jobs)}
	if t.Bytes != 0 {
		args = append(args, fmt.Sprint(t.Bytes))
	}
	cmd := exec.CommandContext(ctx, program, args...)
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
		cancel() // the program's output is of no use any more
	}
	return w, errors.Join(err, cmd.Wait())
}

func ns(d time.Duration) string { return fmt.Sprint(int64(d)) }

// follow answers the program's requests, and reads what it has done.
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
			return fmt.Errorf("resume m_jump: %w", err)
		}
	}
	var used int64
	if _, err := fmt.Fscan(out, &w.Writes, &used); err != nil {
		return fmt.Errorf("m_jump's result: %w", err)
	}
	w.Used = time.Duration(used)
	return nil
}

var errNotReady = errors.New("it is not ready")
