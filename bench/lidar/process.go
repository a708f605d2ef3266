// SPDX-License-Identifier: Apache-2.0

package lidar

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/vlibos/vlibos/bench"
)

// process is a task that runs, with the simulator that sends it scans.
type process struct {
	scene
	cmd  *exec.Cmd
	to   io.WriteCloser
	from io.Reader
}

// start starts a process that calls [Task], on a CPU. The caller closes it.
func start(cmd *exec.Cmd, cpu int) (_ *process, err error) {
	p := &process{scene: *newScene(), cmd: cmd}
	if p.to, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.from, err = cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	return p, bench.StartOn(cmd, cpu)
}

// close ends the task.
func (p *process) close() error { return errors.Join(p.to.Close(), p.cmd.Wait()) }

// decisions sends a scan each period, for as long as d, and returns the times of the
// task's decisions in µs. Each must be right.
func (p *process) decisions(ctx context.Context, period, d time.Duration) (times []float64, err error) {
	every := time.NewTicker(period)
	defer every.Stop()
	for range (d + period - 1) / period {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-every.C:
		}
		took, err := p.decide()
		if err != nil {
			return nil, err
		}
		times = append(times, float64(took)/1000)
	}
	return times, nil
}

// decide sends a scan and checks the task's answer.
func (p *process) decide() (time.Duration, error) {
	var scan Scan
	p.next(&scan)
	if _, err := p.to.Write(scan.Append(nil)); err != nil {
		return 0, fmt.Errorf("the task is gone: %w", err)
	}
	var answer [answerSize]byte
	if _, err := io.ReadFull(p.from, answer[:]); err != nil {
		return 0, fmt.Errorf("the task is gone: %w", err)
	}
	want := Decide(&scan)
	way, turn := Way(binary.LittleEndian.Uint32(answer[8:])), int32(binary.LittleEndian.Uint32(answer[12:]))
	if way != want.Way || turn != want.Turn {
		return 0, fmt.Errorf("the task answered %d by %d, and the right answer is %d by %d", way, turn, want.Way, want.Turn)
	}
	return time.Duration(binary.LittleEndian.Uint64(answer[:])), nil
}
