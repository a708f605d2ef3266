// SPDX-License-Identifier: Apache-2.0

package experiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/corunner"
	"github.com/vlibos/vlibos/bench/lidar"
	"github.com/vlibos/vlibos/bench/tail"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/native"
)

// Options are those of a run.
type Options struct {
	// Effort is Quick, Normal or Full.
	Effort Effort
	// Jobs and Rate are those of tail; none and 0 stand for the default.
	Jobs []string
	Rate int
	// Slot is how long overhead and tail measure at a time. Settle is how
	// long lidar and tail wait after a change. Period is that of lidar's
	// task. 0 stands for the default.
	Slot, Settle, Period time.Duration
	// Service is tail's memcached. nil stands for the installed one.
	Service *tail.Program
	// Progress is called with the name of each stage, Done with each record.
	Progress func(string)
	Done     func(bench.Record) error
}

// Effort is how long an experiment may take.
type Effort int

// Quick only shows that the experiment works, Normal gives figures, Full takes
// as many samples as the paper.
const (
	Quick Effort = iota
	Normal
	Full
)

// Experiment is one row of the table.
type Experiment struct {
	Name, Usage string
	// Takes says how long the experiment takes, by Effort.
	Takes [3]time.Duration
	// Measure is Run, and needs is Missing, without the experiment's name in
	// errors. A nil needs needs nothing.
	Measure func(ctx context.Context, o Options) error
	Needs   func(o Options) error
}

// Tail is the name of the experiment that needs a service.
const Tail = "tail"

// All are all experiments.
var All = []Experiment{
	{"overhead", "the cost of a call, compared with eventfd, a unix socket and net/rpc",
		[3]time.Duration{10 * time.Second, 40 * time.Second, 2 * time.Minute}, overhead, nil},
	{"lidar", "a periodic real-time task beside a job that streams through memory",
		[3]time.Duration{40 * time.Second, 3 * time.Minute, 10 * time.Minute}, runLidar, func(Options) error { return needsDomains() }},
	{Tail, "memcached under open load beside batch jobs",
		[3]time.Duration{90 * time.Second, 6 * time.Minute, 45 * time.Minute}, runTail, needsTail},
}

// Find returns the experiment of a name.
func Find(name string) (Experiment, error) {
	var names []string
	for _, e := range All {
		if e.Name == name {
			return e, nil
		}
		names = append(names, e.Name)
	}
	return Experiment{}, fmt.Errorf("unknown experiment %q: want one of %s", name, strings.Join(names, ", "))
}

// Missing returns an error that says what the experiment needs and this machine
// lacks, or nil. It changes nothing.
func (e Experiment) Missing(o Options) error {
	if e.Needs == nil {
		return nil
	}
	if err := e.Needs(o); err != nil {
		return fmt.Errorf("experiment %s: %w", e.Name, err)
	}
	return nil
}

// needsDomains checks that this process may make domains, which are cgroups.
func needsDomains() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("its domains are cgroups: %w: run as root", host.ErrNotAllowed)
	}
	return native.Possible()
}

func needsTail(o Options) error {
	errs := []error{needsDomains()}
	if o.Service == nil {
		_, err := tail.Find()
		errs = append(errs, err)
	}
	for _, job := range o.jobs() {
		errs = append(errs, corunner.Missing(job))
	}
	return errors.Join(errs...)
}

// jobs returns the jobs that tail measures beside.
func (o Options) jobs() []string {
	if len(o.Jobs) == 0 {
		return corunner.Jobs()
	}
	return o.Jobs
}

// Run measures. If ctx ends first, its error is returned, not that of the
// processes that it ended.
func (e Experiment) Run(ctx context.Context, o Options) error {
	err := e.Measure(ctx, o)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fmt.Errorf("experiment %s: %w", e.Name, err)
}

// pick returns an effort's value.
func pick[T any](e Effort, values [3]T) T { return values[e] }

func runLidar(ctx context.Context, o Options) error {
	var records []bench.Record
	noise, err := bench.Watch(ctx, func(ctx context.Context) (err error) {
		records, err = lidar.Run(ctx, lidar.Options{
			Repeats: pick(o.Effort, [3]int{2, 10, 20}), Decisions: pick(o.Effort, [3]int{25, 25, 50}),
			Period: o.Period, Settle: o.Settle, Self: self, Progress: o.Progress,
		})
		return err
	})
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := o.Done(noise.Note(r)); err != nil {
			return err
		}
	}
	return nil
}

// defaultRate is the number of requests a second that loads one CPU with
// memcached by about a quarter.
const defaultRate = 10_000

func runTail(ctx context.Context, o Options) error {
	t := tail.Options{
		Repeats: pick(o.Effort, [3]int{1, 5, 10}), Settle: o.Settle,
		Slot: cmp.Or(o.Slot, pick(o.Effort, [3]time.Duration{time.Second, time.Second, 5 * time.Second})),
		Rate: o.Rate, Jobs: o.jobs(), Self: self, Progress: o.Progress, Done: o.Done,
	}
	if t.Rate == 0 {
		t.Rate = defaultRate
	}
	if o.Service != nil {
		t.Service = *o.Service
	} else {
		var err error
		if t.Service, err = tail.Find(); err != nil {
			return err
		}
	}
	return tail.Run(ctx, t)
}

// ChildCommand is the hidden command of a program that runs experiments.
const ChildCommand = "bench-child"

// self runs this program as one of an experiment's processes. It does not use
// /proc/self/exe, because a test program recognises its roles by its name.
func self(args ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		exe = "/proc/self/exe"
	}
	cmd := exec.Command(exe, append([]string{ChildCommand}, args...)...)
	cmd.Stderr = os.Stderr
	return cmd
}
