// SPDX-License-Identifier: Apache-2.0

package tail

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/corunner"
)

// Options are those of the experiment.
type Options struct {
	// Repeats is the number of repeats of all modes, each forwards and
	// backwards. Slot is the length of each measurement.
	Repeats int
	Slot    time.Duration
	// Settle is the time between a change of mode and the measurement; 0
	// stands for [corunner.Settle].
	Settle time.Duration
	// Rate is the number of requests a second.
	Rate int
	// Jobs are those beside the service, of [corunner.Jobs].
	Jobs    []string
	Service Program
	// Self starts this program as [Load], as a job or as [corunner.Guard].
	Self func(args ...string) *exec.Cmd
	// Progress is called with the name of each stage, Done with each record.
	Progress func(string)
	Done     func(bench.Record) error
}

// experiment is the service with its load and its co-runner.
type experiment struct {
	Options
	host    *corunner.Machine
	service *service
	load    *exec.Cmd
	to      io.WriteCloser
	from    *bufio.Scanner
	seed    uint64
	job     string
	slots   int
	of      map[string]*outcome // by mode, of one job
}

// outcome is the result of a mode.
type outcome struct {
	latencies, late *hdrhistogram.Histogram
	unanswered      int
	work            float64 // per second
	slots           float64
}

// Run measures the service beside each job, in each mode. A job beside which it fails
// does not keep the others out, and what was measured of it is done.
func Run(ctx context.Context, o Options) (err error) {
	for _, job := range o.Jobs {
		if err := corunner.Missing(job); err != nil {
			return err
		}
	}
	o.Settle = cmp.Or(o.Settle, corunner.Settle)
	e := &experiment{Options: o}
	if e.host, err = corunner.Open(o.Self); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.host.Close()) }()
	if e.service, err = o.Service.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.service.stop()) }()
	if err := e.host.Add(ctx, corunner.Service, e.service.cmd.Process, e.host.ServiceCPU); err != nil {
		return err
	}
	o.Progress("filling the service with data")
	dir, err := os.MkdirTemp("", "vlibos-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	e.host.Felt = filepath.Join(dir, "felt")
	if err := e.start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.to.Close(), e.load.Wait()) }()
	for _, job := range o.Jobs {
		if failed := e.beside(ctx, job); failed != nil {
			err = errors.Join(err, fmt.Errorf("beside %s: %w", job, failed))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return err
}

// start starts the load generator, which fills the service. It is in no domain:
// a cgroup must be configured before its processes may have real-time policies.
func (e *experiment) start() (err error) {
	e.load = e.Self("load", e.service.address, e.host.Felt)
	if e.to, err = e.load.StdinPipe(); err != nil {
		return err
	}
	out, err := e.load.StdoutPipe()
	if err != nil {
		return err
	}
	e.from = bufio.NewScanner(out)
	e.from.Buffer(nil, 16<<20)
	if err := bench.StartOn(e.load, e.host.LoadCPU); err != nil {
		return err
	}
	if !e.from.Scan() {
		return errors.Join(errors.New("the load generator has ended"), e.to.Close(), e.load.Wait())
	}
	return nil
}

func (e *experiment) beside(ctx context.Context, job string) error {
	if err := e.host.SetJob(ctx, job, e.Self); err != nil {
		return err
	}
	e.job, e.slots, e.of = job, 0, make(map[string]*outcome)
	var parts []bench.Part
	for _, m := range corunner.Modes {
		e.of[m.Name] = &outcome{latencies: newHistogram(), late: newHistogram()}
		parts = append(parts, bench.Part{Name: m.Name, Measure: func(ctx context.Context) (float64, error) { return e.slot(ctx, m) }})
	}
	var s bench.Series
	noise, err := bench.Watch(ctx, func(ctx context.Context) (err error) {
		s, err = bench.Interleave(ctx, e.Repeats, parts)
		return err
	})
	err = errors.Join(err, e.host.EndJob(context.WithoutCancel(ctx)))
	if len(s) == 0 {
		return err
	}
	for _, m := range corunner.Modes {
		err = errors.Join(err, e.Done(noise.Note(e.record(m, s))))
	}
	return err
}

// slot measures for a while in a mode, and returns the 99th percentile.
func (e *experiment) slot(ctx context.Context, m corunner.Mode) (float64, error) {
	if err := e.host.Set(ctx, m); err != nil {
		return 0, err
	}
	e.slots++
	e.Progress(fmt.Sprintf("beside %s, %d of %d: %s", e.job, e.slots, 2*e.Repeats*len(corunner.Modes), m.Title))
	e.seed++
	text, err := json.Marshal(Order{Rate: e.Rate, Settle: e.Settle, Time: e.Slot, Seed: e.seed})
	if err != nil {
		return 0, err
	}
	if _, err := e.to.Write(append(text, '\n')); err != nil {
		return 0, fmt.Errorf("the load generator is gone: %w", err)
	}
	time.Sleep(e.Settle)
	before, begin := e.host.Work(), time.Now()
	if !e.from.Scan() {
		return 0, errors.New("the load generator has ended")
	}
	worked := float64(e.host.Work()-before) / time.Since(begin).Seconds()
	var r Result
	if err := json.Unmarshal(e.from.Bytes(), &r); err != nil {
		return 0, err
	}
	of, latencies := e.of[m.Name], hdrhistogram.Import(r.Latencies)
	of.latencies.Merge(latencies)
	of.late.Merge(hdrhistogram.Import(r.Late))
	of.work += worked
	of.unanswered += r.Unanswered
	of.slots++
	return float64(latencies.ValueAtPercentile(99)), ctx.Err()
}
