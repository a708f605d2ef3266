// SPDX-License-Identifier: Apache-2.0

package lidar

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/corunner"
)

// Options are those of the experiment.
type Options struct {
	// Repeats is the number of repeats of all modes, each forwards and
	// backwards. Decisions is the number of decisions in each measurement.
	Repeats, Decisions int
	// Period is that of the task, Settle the time between a change of mode
	// and the measurement. 0 stands for [Period] and [corunner.Settle].
	Period, Settle time.Duration
	// Self starts this program as [Task], as a job or as [corunner.Guard].
	Self func(args ...string) *exec.Cmd
	// Progress is called with the name of each stage.
	Progress func(string)
}

// Period is that of the paper's task.
const Period = 40 * time.Millisecond

// job is the co-runner that loads memory most.
const job = "m_jump"

// experiment is the task with its co-runner.
type experiment struct {
	Options
	host *corunner.Machine
	task *exec.Cmd
	to   io.WriteCloser
	from io.Reader
	scene
	times map[string][]float64 // µs, by mode
}

// Run measures the task's decisions in each mode. With an error it returns the
// records of the repeats that were complete, if there are any.
func Run(ctx context.Context, o Options) (records []bench.Record, err error) {
	o.Period, o.Settle = cmp.Or(o.Period, Period), cmp.Or(o.Settle, corunner.Settle)
	e := &experiment{Options: o, scene: *newScene(), times: make(map[string][]float64)}
	if e.host, err = corunner.Open(o.Self); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.host.Close()) }()
	if err := e.start(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.to.Close(), e.task.Wait()) }()
	if err := e.host.SetJob(ctx, job, o.Self); err != nil {
		return nil, err
	}
	var parts []bench.Part
	modes := corunner.OtherCPU()
	for _, m := range modes {
		parts = append(parts, bench.Part{Name: m.Name, Measure: func(ctx context.Context) (float64, error) { return e.slot(ctx, m) }})
	}
	s, err := bench.Interleave(ctx, o.Repeats, parts)
	if len(s) == 0 {
		return nil, err
	}
	for _, m := range modes {
		records = append(records, e.record(m, s))
	}
	return records, err
}

// start starts the task. It is in no domain: a cgroup must be configured before
// its processes may have real-time policies.
func (e *experiment) start() (err error) {
	e.task = e.Self("lidar")
	if e.to, err = e.task.StdinPipe(); err != nil {
		return err
	}
	if e.from, err = e.task.StdoutPipe(); err != nil {
		return err
	}
	return bench.StartOn(e.task, e.host.ServiceCPU)
}

// slot measures some decisions in a mode, and returns their 99th percentile in
// µs.
func (e *experiment) slot(ctx context.Context, m corunner.Mode) (float64, error) {
	if err := e.host.Set(ctx, m); err != nil {
		return 0, err
	}
	e.Progress(fmt.Sprintf("%s: %d of %d decisions", m.Title, len(e.times[m.Name]), 2*e.Repeats*e.Decisions))
	var times []float64
	every := time.NewTicker(e.Period)
	defer every.Stop()
	settle := int(e.Settle / e.Period)
	for i := range settle + e.Decisions {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-every.C:
		}
		took, err := e.decide()
		if err != nil {
			return 0, err
		}
		if i >= settle {
			times = append(times, float64(took)/1000)
		}
	}
	e.times[m.Name] = append(e.times[m.Name], times...)
	return bench.Quantile(times, 0.99), nil
}

// decide sends a scan and checks the task's answer.
func (e *experiment) decide() (time.Duration, error) {
	var scan Scan
	e.next(&scan)
	if _, err := e.to.Write(scan.Append(nil)); err != nil {
		return 0, fmt.Errorf("the task is gone: %w", err)
	}
	var answer [answerSize]byte
	if _, err := io.ReadFull(e.from, answer[:]); err != nil {
		return 0, fmt.Errorf("the task is gone: %w", err)
	}
	want := Decide(&scan)
	way, turn := Way(binary.LittleEndian.Uint32(answer[8:])), int32(binary.LittleEndian.Uint32(answer[12:]))
	if way != want.Way || turn != want.Turn {
		return 0, fmt.Errorf("the task answered %d by %d, and the right answer is %d by %d", way, turn, want.Way, want.Turn)
	}
	return time.Duration(binary.LittleEndian.Uint64(answer[:])), nil
}

func (e *experiment) record(m corunner.Mode, s bench.Series) bench.Record {
	times := e.times[m.Name]
	r := bench.Record{
		Name: "lidar." + m.Name, Better: bench.Lower, Samples: map[string][]float64{"decision_us": times},
		Raw: map[string]float64{"decisions": float64(len(times)), "load_1min": bench.Load()},
	}
	r.Repeated(len(s[m.Name]), e.Repeats)
	var sum float64
	for _, t := range times {
		sum += t
	}
	r.Raw["mean_us"] = sum / float64(len(times))
	for _, q := range []struct {
		name string
		q    float64
	}{{"p50_us", 0.5}, {"p99_us", 0.99}, {"p999_us", 0.999}, {"max_us", 1}} {
		r.Raw[q.name] = bench.Quantile(times, q.q)
	}
	maps.Copy(r.Raw, e.host.Notes(m))
	if m.Name == corunner.Alone {
		r.Value, r.Unit = r.Raw["p99_us"], "µs"
		return r
	}
	r.Compare(s, m.Name, corunner.Alone)
	return r
}
