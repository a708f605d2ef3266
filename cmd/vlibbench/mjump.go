// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/contended"
	"github.com/vlibos/vlibos/internal/cliflag"
)

func mjumpCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name:  "mjump",
			Usage: "a real-time task under memory contention, with and without the throttle, in the lab's contended mode",
			Flags: []cli.Flag{
				&cli.IntSliceFlag{Name: "utilisation", Value: cli.NewIntSlice(10, 30, 60), Usage: "utilisation of the task's CPU in `PER CENT`; may be repeated"},
				&cli.IntFlag{Name: "repeats", Value: 10, Usage: "measure all bars `N` times, each A B B A"},
				&cli.IntFlag{Name: "jobs", Value: 6, Usage: "a measurement lasts `N` periods of the task"},
				&cli.IntFlag{Name: "scale", Value: 5, Usage: "periods are `N` times the paper's 100 ms and 90 ms"},
				&cli.StringFlag{Name: "policy", Value: "threshold", Usage: "`POLICY` of the throttle: threshold, as in the paper, or feedback"},
				&cli.BoolFlag{Name: "quick", Usage: "one repeat at 10 per cent, without the bars of the master: compare latencies"},
				&cli.StringFlag{Name: "processor", Usage: "read the counters of an emulated processor `NAME` through the module: skylake-client, skylake-server, epyc-milan"},
				&cli.BoolFlag{Name: "fits", Usage: "the task's data fit the cache: cache classes beside the throttle; with --processor skylake-server"},
				&cliflag.Duration{Name: "bus-service", Value: 40 * time.Microsecond, Usage: "length of a turn on the modelled memory bus"},
			},
			Action: mjumpAction,
		},
		{
			Name:   contended.Dom0Arg,
			Hidden: true,
			Action: func(c *cli.Context) error {
				return contended.Dom0(c.Context, c.Args().First(), c.App.Writer, c.App.ErrWriter)
			},
		},
	}
}

func mjumpAction(c *cli.Context) error {
	e := contended.Experiment{
		Utilisations: c.IntSlice("utilisation"), Repeats: c.Int("repeats"), Jobs: c.Int("jobs"),
		Policy: c.String("policy"), Service: c.Duration("bus-service"), Scale: c.Int("scale"),
		Processor: c.String("processor"), Fits: c.Bool("fits"),
	}
	if c.Bool("quick") {
		e.Utilisations, e.Repeats, e.Quick = []int{10}, 1, true
	}
	return inLab(c, func(self string, progress func(string)) ([]bench.Record, error) {
		return contended.Run(c.Context, contended.Options{Experiment: e, Self: self, Log: c.App.ErrWriter, Progress: progress})
	}, needsCPUs())
}
