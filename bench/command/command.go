// SPDX-License-Identifier: Apache-2.0

// Package command is the command that runs experiments and makes their report:
// 'vlibmaster bench' and 'vlibbench run'. It parses the arguments, shows the
// progress and writes the output.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/corunner"
	"github.com/vlibos/vlibos/bench/experiment"
	"github.com/vlibos/vlibos/bench/report"
	"github.com/vlibos/vlibos/bench/tail"
	"github.com/vlibos/vlibos/internal/statusline"
)

// ErrUsage marks errors of the command line.
var ErrUsage = errors.New("usage")

// usageError marks an error as an [ErrUsage] without changing its text.
type usageError struct{ error }

func (usageError) Is(target error) bool { return target == ErrUsage }
func (e usageError) Unwrap() error      { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// Config is what differs between the programs that have the command.
type Config struct {
	// Name is that of the command, Program that of its program in messages.
	Name, Program string
	// Service finds memcached. If it is nil, the installed one is used.
	Service func(ctx context.Context, log io.Writer) (tail.Program, error)
	// Keep is called with each record, in addition to what the flags ask
	// for. It may be nil.
	Keep func(c *cli.Context, r bench.Record) error
}

// File is the name of the file of records in a report's folder.
const File = "bench.jsonl"

// all is the name that stands for all experiments.
const all = "all"

// New returns the command, and the hidden command of its processes.
func New(cfg Config) []*cli.Command {
	return []*cli.Command{
		{
			Name: cfg.Name, Usage: "measure this project's claims on this machine, and write a report", ArgsUsage: "EXPERIMENT",
			Description: description(cfg),
			Flags: []cli.Flag{
				&cli.BoolFlag{Name: "quick", Usage: "only check that the experiments work; the figures mean little"},
				&cli.BoolFlag{Name: "full", Usage: "take as many samples as the paper"},
				&cli.BoolFlag{Name: "json", Usage: "print the records as JSON, one a line"},
				&cli.StringFlag{Name: "report", Usage: "add the records to `DIR`/" + File + " and make DIR/" + report.File + " from all records in it"},
				&cli.StringSliceFlag{Name: "job", Usage: "tail: measure only beside this `JOB`: " + strings.Join(corunner.Jobs(), ", ") + "; may be repeated"},
				&cli.IntFlag{Name: "rate", Usage: "tail: send `N` requests a second (default: 10000)"},
				&cli.DurationFlag{Name: "slot", Usage: "overhead and tail: measure one thing for `TIME` before the next (default: 40ms and 400ms)"},
				&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "lidar and tail: `NUMBER` that determines the order of the modes in each round"},
			},
			Action: func(c *cli.Context) error { return action(c, cfg) },
		},
		{
			Name: experiment.ChildCommand, Hidden: true, SkipFlagParsing: true,
			Action: func(c *cli.Context) error {
				args := c.Args().Slice()
				if len(args) > 0 && args[0] == "--" {
					args = args[1:]
				}
				return experiment.Child(c.Context, args, c.App.Reader, c.App.Writer)
			},
		},
	}
}

// Experiments returns the names that the command takes.
func Experiments() (names []string) {
	for _, e := range experiment.All {
		names = append(names, e.Name)
	}
	return append(names, all)
}

func description(cfg Config) string {
	var b strings.Builder
	b.WriteString("The experiments, and the time they take with --quick, by default, and with --full:\n\n")
	for _, e := range experiment.All {
		fmt.Fprintf(&b, "   %-10s %s (%v, %v, %v)\n", e.Name, e.Usage, e.Takes[0], e.Takes[1], e.Takes[2])
	}
	fmt.Fprintf(&b, "   %-10s all of them\n", all)
	fmt.Fprintf(&b, `
They run on processes of this machine and need no Xen. lidar and tail need root
and cgroups: each of their domains is a cgroup. tail needs memcached, gzip and
gcc. The machine should do no other work. On a noisy one lidar and tail compare
short blocks that are neighbours, and say how many minutes more a conclusion
needs; from overhead nothing is concluded there. Experiments on Xen in an emulator are in vlibbench, which
comes with the source.

   %s %s --report out lidar
`, cfg.Program, cfg.Name)
	return b.String()
}

func action(c *cli.Context, cfg Config) (err error) {
	chosen, o, err := options(c)
	if err != nil {
		return err
	}
	show := newProgress(c.App.ErrWriter)
	defer show.Clear()
	var absent error
	if cfg.Service != nil && needsService(chosen) {
		show.set("looking for memcached")
		var p tail.Program
		if p, absent = cfg.Service(c.Context, statusline.Stages(show.set)); absent == nil {
			o.Service = &p
		}
	}
	chosen, missing := possible(chosen, o, absent)
	show.set("")
	var left error
	if len(missing) > 0 { // said first, because the others take minutes
		left = missing
		fmt.Fprintf(c.App.ErrWriter, "missing on this machine:\n%s", missing.list())
	}
	if len(chosen) == 0 {
		return left
	}
	var records []bench.Record
	o.Progress = show.set
	o.Done = func(r bench.Record) error {
		records = append(records, r)
		if cfg.Keep != nil {
			if err := cfg.Keep(c, r); err != nil {
				return err
			}
		}
		if dir := c.String("report"); dir != "" {
			return bench.Append(filepath.Join(dir, File), r)
		}
		return nil
	}
	for _, e := range chosen {
		show.begin(e.Name, e.Takes[o.Effort])
		err := e.Run(c.Context, o)
		if left = errors.Join(left, err); c.Context.Err() != nil {
			break
		}
	}
	show.set("")
	// A failed experiment does not keep the others out of the report.
	if len(records) > 0 || left == nil {
		left = errors.Join(left, output(c, records), makeReport(c))
	}
	return left
}

func options(c *cli.Context) ([]experiment.Experiment, experiment.Options, error) {
	o := experiment.Options{Effort: experiment.Normal, Jobs: c.StringSlice("job"), Rate: c.Int("rate"), Slot: c.Duration("slot"), Seed: c.Uint64("seed")}
	switch quick, full := c.Bool("quick"), c.Bool("full"); {
	case quick && full:
		return nil, o, usagef("--quick and --full exclude each other")
	case quick:
		o.Effort = experiment.Quick
	case full:
		o.Effort = experiment.Full
	}
	if c.NArg() != 1 {
		return nil, o, usagef("%s needs one EXPERIMENT, not %d arguments: see %[1]s --help", c.Command.Name, c.NArg())
	}
	if o.Rate < 0 || o.Rate > 1_000_000 {
		return nil, o, usagef("--rate %d: want 1 to 1000000 requests a second", o.Rate)
	}
	if o.Slot < 0 || o.Slot > time.Minute {
		return nil, o, usagef("--slot %v: want up to %v", o.Slot, time.Minute)
	}
	for _, job := range o.Jobs {
		if !corunner.Known(job) {
			return nil, o, usagef("unknown job %q: want one of %s", job, strings.Join(corunner.Jobs(), ", "))
		}
	}
	for _, flag := range []string{"rate", "job"} {
		if name := c.Args().First(); c.IsSet(flag) && name != all && name != experiment.Tail {
			return nil, o, usagef("--%s belongs to the experiment %s, not to %q", flag, experiment.Tail, name)
		}
	}
	if c.Args().First() == all {
		return experiment.All, o, nil
	}
	e, err := experiment.Find(c.Args().First())
	if err != nil {
		return nil, o, usageError{err}
	}
	return []experiment.Experiment{e}, o, nil
}

func needsService(chosen []experiment.Experiment) bool {
	for _, e := range chosen {
		if e.Name == experiment.Tail {
			return true
		}
	}
	return false
}

func output(c *cli.Context, records []bench.Record) error {
	if !c.Bool("json") {
		return report.Measured(c.App.Writer, records)
	}
	lines := json.NewEncoder(c.App.Writer)
	for _, r := range records {
		if err := lines.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

func makeReport(c *cli.Context) error {
	dir := c.String("report")
	if dir == "" {
		return nil
	}
	records, err := bench.Read(filepath.Join(dir, File))
	if err != nil {
		return err
	}
	file, err := report.Write(dir, records)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.ErrWriter, "the report: %s\n", file)
	return err
}
