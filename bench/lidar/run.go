// SPDX-License-Identifier: Apache-2.0

package lidar

import (
	"cmp"
	"context"
	"errors"
	"os/exec"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/corunner"
)

// Options are those of the experiment.
type Options struct {
	// Rounds is the number of blocks of each mode. Seed determines their order.
	Rounds int
	Seed   uint64
	// Period is that of the task; 0 stands for [Period].
	Period time.Duration
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
	task *process
}

// Run measures the task's decisions in each mode. With an error it returns the
// records of the rounds that were complete, if there are any.
func Run(ctx context.Context, o Options) (records []bench.Record, err error) {
	o.Period = cmp.Or(o.Period, Period)
	e := &experiment{Options: o}
	if e.host, err = corunner.Open(o.Self); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.host.Close()) }()
	// It is in no domain: a cgroup must be configured before its processes may have
	// real-time policies.
	if e.task, err = start(o.Self("lidar"), e.host.ServiceCPU); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.task.close()) }()
	if err := e.host.SetJob(ctx, job, o.Self); err != nil {
		return nil, err
	}
	o.Progress("finding the throttles' limits")
	if err := e.host.Calibrate(ctx, e.measure); err != nil {
		return nil, err
	}
	modes := corunner.OtherCPU()
	rounds, err := e.host.Rounds(ctx, modes, o.Seed, o.Rounds, o.Progress, e.measure)
	if rounds.Len() == 0 {
		return nil, err
	}
	for _, m := range modes {
		records = append(records, e.record(m, rounds))
	}
	return records, err
}

// measure measures the decisions of a block, in µs.
func (e *experiment) measure(ctx context.Context, _ corunner.Mode) (b bench.Block, err error) {
	if _, err := e.task.decisions(ctx, e.Period, corunner.Settle); err != nil {
		return b, err
	}
	end := e.host.Look()
	times, err := e.task.decisions(ctx, e.Period, corunner.Window)
	b = end()
	b.Values = times
	return b, err
}

func (e *experiment) record(m corunner.Mode, rounds bench.Rounds) bench.Record {
	r := e.host.Record("lidar."+m.Name, m, rounds)
	var times []float64
	for _, b := range rounds.Valid(m.Name) {
		times = append(times, b.Values...)
	}
	if len(times) == 0 {
		return r
	}
	r.Samples, r.Raw["decisions"] = map[string][]float64{"decision_us": times}, float64(len(times))
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
	if m.Name == corunner.Alone {
		r.Value = r.Raw["p99_us"]
	}
	return r
}
