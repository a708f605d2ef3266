// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/counted"
	"github.com/vlibos/vlibos/bench/decision"
)

func moduleCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name:  "module",
			Usage: "the hypervisor's module and its scheduler on real Xen, in instructions",
			Flags: []cli.Flag{
				&cli.StringSliceFlag{Name: "only", Usage: "boot only with this `SCHEDULER`: vlib, credit2, rtds; may be repeated"},
			},
			Action: moduleAction,
		},
		{
			Name:   "service",
			Usage:  "memcached in a DomU beside DomUs that spin, under open load, with the module and without, in instructions",
			Action: serviceAction,
		},
		{
			Name:  "decision",
			Usage: "the scheduler's decision alone, in instructions: reads what `make -C hypervisor/test decision` prints",
			Action: func(c *cli.Context) error {
				return keepAll(c)(decision.Records(c.App.Reader))
			},
		},
		{
			Name:   counted.Dom0ModuleArg,
			Hidden: true,
			Action: func(c *cli.Context) error {
				return counted.Dom0Module(c.Context, c.Args().First(), c.App.Writer)
			},
		},
		{
			Name:   counted.Dom0ServiceArg,
			Hidden: true,
			Action: func(c *cli.Context) error {
				return counted.Dom0Service(c.Context, c.Args().First(), c.App.Writer)
			},
		},
		{
			Name:   counted.ListenerArg,
			Hidden: true,
			Action: func(c *cli.Context) error { return counted.Listener(c.Context, c.App.Writer) },
		},
	}
}

func moduleAction(c *cli.Context) error {
	return inLab(c, func(self string, progress func(string)) ([]bench.Record, error) {
		return counted.Module(c.Context, counted.Options{Self: self, Log: c.App.ErrWriter, Progress: progress}, c.StringSlice("only")...)
	})
}

func serviceAction(c *cli.Context) error {
	return inLab(c, func(self string, progress func(string)) ([]bench.Record, error) {
		return counted.Service(c.Context, counted.Options{Self: self, Log: c.App.ErrWriter, Progress: progress})
	})
}
