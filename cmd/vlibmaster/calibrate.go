// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/memory/calibrate"
	"github.com/vlibos/vlibos/dom0/memory/throttling"
	"github.com/vlibos/vlibos/internal/cpulist"
	"github.com/vlibos/vlibos/throttle/load"
	"github.com/vlibos/vlibos/throttle/probe"
)

// loadCommandName is the hidden command of a load's process.
const loadCommandName = "calibrate-load"

// calibrateSources are the values of --source.
var calibrateSources = []string{"auto", "uncore", "probe"}

func calibrateCommand() *cli.Command {
	return &cli.Command{
		Name:  "calibrate",
		Usage: "measure the latency above which memory counts as slow, and set it in the configuration",
		Description: `Processes stream through memory on some CPUs for a growing share of their time,
while latency is measured. Everything on the host is slower during that. On Xen
these CPUs are Dom0's.

   vlibmaster calibrate --probe-cpu 0 --load-cpus 1,2,3
   vlibmaster calibrate --probe-cpu 0 --load-cpus 1 --dry-run`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Value: config.DefaultFile, Usage: "`FILE` with the configuration; only [throttle] in it is changed"},
			&cli.BoolFlag{Name: "dry-run", Usage: "print the new settings and change nothing"},
			&cli.IntFlag{Name: "seconds", Value: 40, Usage: "measure for `N` seconds"},
			&cli.StringFlag{Name: "source", Value: "auto", Usage: "measure with `SOURCE`: auto, uncore or probe"},
			&cli.IntFlag{Name: "probe-cpu", Value: -1, Usage: "`CPU` for the software probe, if no counter measures latency"},
			&cli.IntFlag{Name: "probe-mib", Usage: "buffer of the probe in `MIB`; 0: twice the last-level cache"},
			&cli.StringFlag{Name: "load-cpus", Required: true, Usage: "`CPUS` of the loads, as in 1-3 or 1,2,3"},
		},
		Action: calibrateAction,
	}
}

func calibrateAction(c *cli.Context) (err error) {
	if err := noArguments(c); err != nil {
		return err
	}
	loads, err := loadCPUs(c.String("load-cpus"))
	if err != nil {
		return err
	}
	t := config.Throttle{Source: c.String("source"), ProbeCPU: c.Int("probe-cpu"), ProbeMiB: c.Int("probe-mib"), Period: 10 * time.Millisecond}
	switch {
	case !slices.Contains(calibrateSources, t.Source):
		return usagef("--source %q: want one of %s", t.Source, strings.Join(calibrateSources, ", "))
	case t.Source == "uncore" && (c.IsSet("probe-cpu") || c.IsSet("probe-mib")):
		return usagef("--probe-cpu and --probe-mib have no effect with --source uncore")
	case t.Source == "probe" && t.ProbeCPU < 0:
		return usagef("--source probe needs --probe-cpu, a CPU of which it may use a hundredth")
	case slices.Contains(loads, t.ProbeCPU):
		return usagef("--load-cpus includes the probe's CPU %d: the probe needs it while it measures", t.ProbeCPU)
	case c.Int("seconds") < 1 || c.Int("seconds") > 600:
		return usagef("--seconds %d: 1 to 600 are allowed", c.Int("seconds"))
	}
	file := c.String("config")
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	cfg := config.Config{Host: directory.Auto}
	if err == nil {
		if cfg, err = config.Load(file); err != nil {
			return err
		}
	}
	kind, err := hostKind(c, cfg)
	if err != nil {
		return err
	}
	p, err := openHost(c.Context, c, kind, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer closing(&err, p)
	values, err := measureCurve(c, t, p, loads)
	if err != nil {
		return err
	}
	after, err := config.SetThrottle(string(before), values)
	if err != nil {
		return err
	}
	for _, v := range values {
		fmt.Fprintf(c.App.Writer, "%s = %s\n", v.Key, v.Text)
	}
	if c.Bool("dry-run") {
		return nil
	}
	if err := config.Replace(file, after); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "written to %s; a running master reads it on SIGHUP\n", file)
	return err
}

// measureCurve prints the curve and returns the settings for the configuration.
func measureCurve(c *cli.Context, t config.Throttle, p host.Host, loads []int) (values []config.Value, err error) {
	s, err := throttling.OpenSource(t, p)
	if err != nil {
		return nil, err
	}
	defer closing(&err, s)
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// All buffers together are larger than the cache.
	mib := max(probe.DefaultBuffer(loads[0])>>20/len(loads), 32)
	l, err := calibrate.Start([]string{exe, loadCommandName}, loads, mib)
	if err != nil {
		return nil, err
	}
	curve, err := calibrate.Measure(c.Context, calibrate.Options{
		Source: s, Load: l.Set, Total: time.Duration(c.Int("seconds")) * time.Second, Log: c.App.ErrWriter,
	})
	if err = errors.Join(err, l.Close()); err != nil {
		return nil, err
	}
	ns, how, flat := curve.Threshold()
	about := s.Name()
	if d, ok := s.(interface{ Describe() string }); ok {
		about = d.Describe()
	}
	fmt.Fprintf(c.App.Writer, "latency by %s; load: m_jump over %d MiB on each of CPUs %v\n", about, mib, loads)
	if err := curve.Print(c.App.Writer, ns); err != nil {
		return nil, err
	}
	if flat != nil {
		return nil, flat
	}
	fmt.Fprintf(c.App.Writer, "threshold: %s\n", how)
	values = []config.Value{{Key: "threshold_ns", Text: strconv.FormatFloat(ns, 'f', 1, 64)}}
	if _, ok := s.(*probe.Probe); ok {
		values = append(values, config.Value{Key: "probe_mib", Text: strconv.Itoa(t.ProbeMiB)},
			config.Value{Key: "probe_cpu", Text: strconv.Itoa(t.ProbeCPU)}, config.Value{Key: "source", Text: `"probe"`})
	} else {
		values = append(values, config.Value{Key: "source", Text: `"uncore"`})
	}
	return values, nil
}

// loadCPUs reads --load-cpus.
func loadCPUs(text string) ([]int, error) {
	cpus, err := cpulist.Parse(text)
	if err == nil && len(cpus) == 0 {
		err = errors.New("there must be at least one")
	}
	if err != nil {
		return nil, usagef("--load-cpus: %w", err)
	}
	return cpus, nil
}

// calibrateLoadCommand runs one load.
func calibrateLoadCommand() *cli.Command {
	return &cli.Command{
		Name: loadCommandName, Hidden: true,
		Action: func(c *cli.Context) error {
			cpu, err1 := strconv.Atoi(c.Args().Get(0))
			mib, err2 := strconv.Atoi(c.Args().Get(1))
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
			return load.Batch(load.Options{CPU: cpu, Buffer: mib << 20, Gate: c.App.Reader})
		},
	}
}
