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

// Work is what the real-time task has done.
type Work struct {
	Writes uint64        // each to another line of memory
	Used   time.Duration // of its own CPU time, which was all foreground
}

// PerSecond is writes per second of foreground time.
func (w Work) PerSecond() float64 { return float64(w.Writes) / w.Used.Seconds() }

// Task runs the program as a real-time task: jobs times, once every period,
// for a budget of its own CPU time. It calls ready just before, when nothing
// is left to be made ready.
func Task(ctx context.Context, program string, budget, period time.Duration, jobs int, ready func() error) (w Work, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "task", fmt.Sprint(int64(budget)), fmt.Sprint(int64(period)), fmt.Sprint(jobs))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return w, err
	}
	if err := cmd.Start(); err != nil {
		return w, fmt.Errorf("run m_jump: %w", err)
	}
	err = w.read(out, ready)
	if err != nil {
		cancel() // whatever it does, nobody reads it
	}
	return w, errors.Join(err, cmd.Wait())
}

func (w *Work) read(out io.Reader, ready func() error) error {
	in := bufio.NewReader(out)
	line, err := in.ReadString('\n')
	if err != nil || line != "ready\n" {
		return fmt.Errorf("m_jump said %q: %w", line, errors.Join(err, errNotReady))
	}
	if err := ready(); err != nil {
		return err
	}
	var used int64
	if _, err := fmt.Fscan(in, &w.Writes, &used); err != nil {
		return fmt.Errorf("what m_jump has done: %w", err)
	}
	w.Used = time.Duration(used)
	return nil
}

var errNotReady = errors.New("it is not ready")
