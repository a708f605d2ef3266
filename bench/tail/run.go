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
	// Rounds is the number of blocks of each mode. Seed determines their order.
	Rounds int
	Seed   uint64
	// Window is how long a block is measured; 0 stands for [corunner.Window].
	Window time.Duration
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
	job     string
	seed    uint64
	of      map[string]*outcome // by mode, of one job
}

// outcome is the result of those blocks of a mode that count.
type outcome struct {
	latencies, late *hdrhistogram.Histogram
	unanswered      int
}

// Run measures the service beside each job, in each mode. A job beside which it fails
// does not keep the others out, and what was measured of it is done.
func Run(ctx context.Context, o Options) (err error) {
	for _, job := range o.Jobs {
		if err := corunner.Missing(job); err != nil {
			return err
		}
	}
	o.Window = cmp.Or(o.Window, corunner.Window)
	e := &experiment{Options: o}
	if e.host, err = corunner.Open(o.Self); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.host.Close()) }()
	if e.service, err = o.Service.start(ctx, e.host.ServiceCPU); err != nil {
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
	e.job, e.of = job, make(map[string]*outcome)
	progress := func(stage string) { e.Progress("beside " + job + ", " + stage) }
	progress("finding the throttles' limits")
	if err := e.host.Calibrate(ctx, e.measure); err != nil {
		return errors.Join(err, e.host.EndJob(context.WithoutCancel(ctx)))
	}
	clear(e.of)
	rounds, err := e.host.Rounds(ctx, corunner.Modes, e.Seed, e.Rounds, progress, e.measure)
	err = errors.Join(err, e.host.EndJob(context.WithoutCancel(ctx)))
	if rounds.Len() == 0 {
		return err
	}
	for _, m := range corunner.Modes {
		err = errors.Join(err, e.Done(e.record(m, rounds)))
	}
	return err
}

// fine is the greatest difference, as a part, of latencies that are counted as equal
// in a block.
const fine = 0.005

// measure measures the latencies of a block, in µs.
func (e *experiment) measure(ctx context.Context, m corunner.Mode) (b bench.Block, err error) {
	e.seed++
	text, err := json.Marshal(Order{Rate: e.Rate, Settle: corunner.Settle, Time: e.Window, Seed: e.seed})
	if err != nil {
		return b, err
	}
	if _, err := e.to.Write(append(text, '\n')); err != nil {
		return b, fmt.Errorf("the load generator is gone: %w", err)
	}
	time.Sleep(corunner.Settle)
	end := e.host.Look()
	if !e.from.Scan() {
		return b, errors.New("the load generator has ended")
	}
	b = end()
	var r Result
	if err := json.Unmarshal(e.from.Bytes(), &r); err != nil {
		return b, err
	}
	latencies := hdrhistogram.Import(r.Latencies)
	for _, bar := range latencies.Distribution() {
		switch v, n := float64(bar.From+bar.To)/2000, len(b.Values); {
		case bar.Count == 0:
		case n > 0 && v < b.Values[n-1]*(1+fine):
			b.Counts[n-1] += float64(bar.Count)
		default:
			b.Values, b.Counts = append(b.Values, v), append(b.Counts, float64(bar.Count))
		}
	}
	if b.Discarded != "" {
		return b, ctx.Err()
	}
	of := e.of[m.Name]
	if of == nil {
		of = &outcome{latencies: newHistogram(), late: newHistogram()}
		e.of[m.Name] = of
	}
	of.latencies.Merge(latencies)
	of.late.Merge(hdrhistogram.Import(r.Late))
	of.unanswered += r.Unanswered
	return b, ctx.Err()
}
