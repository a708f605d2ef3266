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

// Options of a run.
type Options struct {
	// Effort is Quick, Normal or Full.
	Effort Effort
	// Jobs and Rate are tail's; none and 0 are the default.
	Jobs []string
	Rate int
	// Slot is how long overhead and tail measure at a time, Settle how long lidar
	// and tail do not after a change, Period that of lidar's task; 0 is the
	// default.
	Slot, Settle, Period time.Duration
	// Service is tail's memcached; nil takes the one that is installed.
	Service *tail.Program
	// Progress is called with what is done now, Done with each record.
	Progress func(string)
	Done     func(bench.Record) error
}

// Effort is how long an experiment may take.
type Effort int

// Quick shows that it works, Normal gives figures, Full has as many samples as
// the paper.
const (
	Quick Effort = iota
	Normal
	Full
)

// Experiment is one row of the table.
type Experiment struct {
	Name, Usage string
	// Takes says how long, by Effort.
	Takes [3]time.Duration
	// Measure is Run, and Needs is Missing without the experiment's name; nil
	// needs nothing.
	Measure func(ctx context.Context, o Options) error
	Needs   func(o Options) error
}

// Tail is the name of the one that needs a service.
const Tail = "tail"

// All that there are.
var All = []Experiment{
	{"overhead", "what a call costs, beside eventfd, a unix socket and net/rpc",
		[3]time.Duration{10 * time.Second, 40 * time.Second, 2 * time.Minute}, overhead, nil},
	{"lidar", "a periodic real-time task beside a job that streams through memory",
		[3]time.Duration{40 * time.Second, 3 * time.Minute, 10 * time.Minute}, runLidar, func(Options) error { return needsDomains() }},
	{Tail, "memcached under open load beside batch jobs",
		[3]time.Duration{90 * time.Second, 6 * time.Minute, 45 * time.Minute}, runTail, needsTail},
}

// Find one by its name.
func Find(name string) (Experiment, error) {
	var names []string
	for _, e := range All {
		if e.Name == name {
			return e, nil
		}
		names = append(names, e.Name)
	}
	return Experiment{}, fmt.Errorf("there is no experiment %q: expected one of %s", name, strings.Join(names, ", "))
}

// Missing says what this machine lacks for the experiment; nil if nothing. It
// looks and changes nothing.
func (e Experiment) Missing(o Options) error {
	if e.Needs == nil {
		return nil
	}
	if err := e.Needs(o); err != nil {
		return fmt.Errorf("experiment %s: %w", e.Name, err)
	}
	return nil
}

// needsDomains is for experiments whose domains are cgroups.
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

// jobs are those beside which tail measures.
func (o Options) jobs() []string {
	if len(o.Jobs) == 0 {
		return corunner.Jobs()
	}
	return o.Jobs
}

// Run measures. If ctx ends before, that is the error: what it did to the
// experiment's processes is not.
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

// pick a value by effort.
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

// defaultRate of requests a second loads one CPU with memcached by about a
// quarter.
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

// self runs this program as one of an experiment's processes. Not by
// /proc/self/exe: the tests' program is told by its name what it is.
func self(args ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		exe = "/proc/self/exe"
	}
	cmd := exec.Command(exe, append([]string{ChildCommand}, args...)...)
	cmd.Stderr = os.Stderr
	return cmd
}
