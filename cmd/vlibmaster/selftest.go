// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/doctor"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/module"
	"github.com/vlibos/vlibos/dom0/selftest"
	"github.com/vlibos/vlibos/internal/atomicfile"
	"github.com/vlibos/vlibos/internal/cpulist"
	"github.com/vlibos/vlibos/internal/statusline"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/throttle/uncore"
)

func selftestCommand() *cli.Command {
	var about strings.Builder
	for _, p := range selftest.Parts {
		fmt.Fprintf(&about, "   %-10s %s\n", p.Name, p.About)
	}
	return &cli.Command{
		Name:  "selftest",
		Usage: "try for some minutes whether this host does what budgets, calls and throttle need",
		Description: fmt.Sprintf(`Makes throw-away domains, puts one on a reservation, and compares what they did with
what Xen, or the kernel, counted. On Xen they are PV guests of the running kernel, made
with xl; on the native host cgroups. Only these are touched, all is undone at the end,
and also if this command is killed. It takes %.0f minutes at most. The parts:

%s
The verdict of each is passed, failed, or not possible here, with the reason. --out
writes them to a file to send: it has versions and figures, and no names or addresses.

Exit code %d: a part failed, or something could not be undone.`, selftest.Limit.Minutes(), about.String(), exitFailed.code),
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "only", Usage: "try only this `PART`; may be repeated"},
			&cli.StringFlag{Name: "kernel", Usage: "`FILE` with the kernel of the throw-away domains (default: that of the running one in /boot)"},
			&cli.StringFlag{Name: "out", Usage: "write the report to `FILE`, as JSON"},
			jsonFlag(""), runDirFlag(),
		},
		Action: selftestAction,
	}
}

func selftestAction(c *cli.Context) (err error) {
	if err := noArguments(c); err != nil {
		return err
	}
	var names []string
	for _, p := range selftest.Parts {
		names = append(names, p.Name)
	}
	only := c.StringSlice("only")
	for _, name := range only {
		if !slices.Contains(names, name) {
			return usagef("--only %q: want one of %s", name, strings.Join(names, ", "))
		}
	}
	if kernel := c.String("kernel"); kernel != "" {
		if _, err := os.Stat(kernel); err != nil {
			return usagef("--kernel: %w", err)
		}
	}
	o, err := selftestOptions(c)
	if err != nil {
		return err
	}
	show := statusline.New(c.App.ErrWriter)
	defer show.Clear()
	o.Progress = show.Show
	report, ended := selftest.Run(c.Context, o, only...)
	show.Clear()
	if len(report.Results) == 0 {
		return ended
	}
	report.Vlibmaster = version().Version
	if file := c.String("out"); file != "" {
		text, err := json.MarshalIndent(report, "", "\t")
		if err != nil {
			return err
		}
		if err := atomicfile.Write(file, append(text, '\n'), 0o644); err != nil {
			return errors.Join(ended, err)
		}
	}
	ended = errors.Join(ended, report.Err())
	if c.Bool("json") {
		if err := joinObjects(c.App.Writer, report); err != nil {
			return err
		}
		return reported(ended)
	}
	return errors.Join(printReport(c.App.Writer, report), ended)
}

// selftestOptions examines the host.
func selftestOptions(c *cli.Context) (o selftest.Options, err error) {
	cfg, err := chosen(c)
	if err != nil {
		return o, err
	}
	if o.Self, err = os.Executable(); err != nil {
		return o, err
	}
	ctx, cancel := context.WithTimeout(c.Context, doctorLimit)
	defer cancel()
	m := toMaster(c)
	defer m.Close()
	o.Facts, o.Kernel, o.Socket = doctor.Examine(ctx, cfg, m), c.String("kernel"), filepath.Join(c.String("run-dir"), api.SocketName)
	o.Late = 2 * time.Millisecond // of the host stock; native's is shorter
	if late := o.Facts.Xen.Module.Late; late > 0 {
		o.Late = late
	}
	o.Latency = func(ctx context.Context) (throttle.Source, func() error, error) {
		if o.Facts.Host == directory.Native {
			cpus, err := cpulist.Read("/sys/devices/system/cpu/online")
			if err != nil {
				return nil, nil, err
			}
			s, err := uncore.Open(cpus)
			return s, func() error { return nil }, err
		}
		p, err := module.Open(ctx, true)
		if errors.Is(err, host.ErrNotHere) {
			return nil, nil, fmt.Errorf("%w: %w", throttle.ErrNoSource, err)
		}
		if err != nil {
			return nil, nil, err
		}
		cpus, err := p.CPUs()
		if err != nil {
			return nil, nil, errors.Join(err, p.Close())
		}
		s, err := p.LatencySource(cpus)
		if err != nil {
			return nil, nil, errors.Join(err, p.Close())
		}
		return s, p.Close, nil
	}
	return o, nil
}

func printReport(w io.Writer, r selftest.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PART\tVERDICT\tWHY")
	for _, p := range r.Results {
		fmt.Fprintf(t, "%s\t%s\t%s\n", p.Part, p.Verdict, oneLine(p.Reason))
	}
	return t.Flush()
}

// selftestLoadCommand is what throw-away domains run.
func selftestLoadCommand() *cli.Command {
	return &cli.Command{
		Name: selftest.LoadCommand, Hidden: true,
		Action: func(c *cli.Context) error { return selftest.Load(c.Args().Slice()) },
	}
}
