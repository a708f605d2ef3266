// SPDX-License-Identifier: Apache-2.0

package experiment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/corunner"
	"github.com/vlibos/vlibos/bench/lidar"
	calls "github.com/vlibos/vlibos/bench/native"
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
	// Slot is how long overhead and tail measure at a time. Period is that of
	// lidar's task. 0 stands for the default.
	Slot, Period time.Duration
	// Seed determines the order in which lidar and tail measure.
	Seed uint64
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
	// Measure is Run without the experiment's name in errors.
	Measure func(ctx context.Context, o Options) error
	// Needs returns what this machine lacks, with the way out of each. It changes
	// nothing. nil needs nothing.
	Needs func(o Options) []error
}

// Tail is the name of the experiment that needs a service.
const Tail = "tail"

// All are all experiments.
var All = []Experiment{
	{"overhead", "the cost of a call, compared with eventfd, a unix socket and net/rpc",
		[3]time.Duration{10 * time.Second, 40 * time.Second, 2 * time.Minute}, overhead, func(Options) []error { return needsCPUs() }},
	{"lidar", "a periodic real-time task beside a job that streams through memory",
		[3]time.Duration{40 * time.Second, 10 * time.Minute, 20 * time.Minute}, runLidar, func(Options) []error { return needsDomains() }},
	{Tail, "memcached under open load beside batch jobs",
		[3]time.Duration{90 * time.Second, 14 * time.Minute, 40 * time.Minute}, runTail, needsTail},
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

// lacking leaves out what is not missing.
func lacking(errs ...error) []error {
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

func needsCPUs() []error {
	_, _, err := calls.Cores()
	return lacking(err)
}

// needsDomains checks that this process has two CPUs and may make domains, which are
// cgroups.
func needsDomains() []error {
	var root error
	if os.Geteuid() != 0 {
		root = fmt.Errorf("domains are cgroups: %w: run as root", host.ErrNotAllowed)
	}
	return append(needsCPUs(), lacking(root, native.Possible())...)
}

func needsTail(o Options) []error {
	missing := needsDomains()
	if o.Service == nil {
		_, err := tail.Find()
		missing = append(missing, lacking(err)...)
	}
	for _, job := range o.jobs() {
		missing = append(missing, lacking(corunner.Missing(job))...)
	}
	return missing
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
	records, err := lidar.Run(ctx, lidar.Options{
		Rounds: pick(o.Effort, [3]int{10, 180, 360}), Seed: o.Seed, Period: o.Period, Self: self, Progress: o.Progress,
	})
	for _, r := range records {
		err = errors.Join(err, o.Done(r))
	}
	return err
}

// defaultRate is the number of requests a second that loads one CPU with
// memcached by about a quarter.
const defaultRate = 10_000

func runTail(ctx context.Context, o Options) error {
	t := tail.Options{
		Rounds: pick(o.Effort, [3]int{6, 60, 180}), Seed: o.Seed, Window: o.Slot,
		Rate: cmp.Or(o.Rate, defaultRate), Jobs: o.jobs(), Self: self, Progress: o.Progress, Done: o.Done,
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
