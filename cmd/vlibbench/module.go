// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/decision"
	"github.com/vlibos/vlibos/bench/xen"
	"github.com/vlibos/vlibos/internal/cliflag"
)

func moduleCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name:  "module",
			Usage: "the hypervisor's module and its scheduler on real Xen, in instructions",
			Flags: []cli.Flag{
				&cli.StringSliceFlag{Name: "only", Usage: "boot only with this `SCHEDULER`: vlib, credit2, credit, rtds, null, arinc653; may be repeated"},
				&cli.BoolFlag{Name: "wakeups", Usage: "measure wake-ups alone"},
				&cli.UintFlag{Name: "boots", Value: 1, Usage: "measure wake-ups in `N` boots of each"},
			},
			Action: moduleAction,
		},
		{
			Name:  "service",
			Usage: "memcached in a DomU beside spinning DomUs, under open load, with and without the module, in instructions",
			Flags: []cli.Flag{
				&cli.IntFlag{Name: "vcpus", Value: 1, Usage: "`NUMBER` of vCPUs of each DomU, of the CPUs that they share, and of memcached's threads"},
				&cli.IntFlag{Name: "rate", Value: 1000, Usage: "requests a second"},
				&cliflag.Duration{Name: "time", Value: 10 * time.Second, Usage: "`TIME` of each setting, of the machine's clock"},
				&cli.StringSliceFlag{Name: "only", Usage: "boot only with this `SCHEDULER`: vlib, credit2; may be repeated"},
			},
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
			Name:   xen.Dom0ModuleArg,
			Hidden: true,
			Action: func(c *cli.Context) error {
				return xen.Dom0Module(c.Context, c.Args().First(), c.Args().Get(1) == "true", c.App.Writer)
			},
		},
		{
			Name:   xen.Dom0ServiceArg,
			Hidden: true,
			Action: func(c *cli.Context) error {
				size, err := xen.ReadServiceSize(c.Args().Tail())
				if err != nil {
					return err
				}
				return xen.Dom0Service(c.Context, c.Args().First(), size, c.App.Writer)
			},
		},
		{
			Name:   xen.ListenerArg,
			Hidden: true,
			Action: func(c *cli.Context) error { return xen.Listener(c.Context, c.App.Writer) },
		},
	}
}

func moduleAction(c *cli.Context) error {
	return inLab(c, func(self string, progress func(string)) ([]bench.Record, error) {
		return xen.Module(c.Context, xen.Options{Self: self, Log: c.App.ErrWriter, Progress: progress}, c.Bool("wakeups"), max(1, int(c.Uint("boots"))), c.StringSlice("only")...)
	})
}

func serviceAction(c *cli.Context) error {
	size := xen.ServiceSize{VCPUs: c.Int("vcpus"), Rate: c.Int("rate"), Time: c.Duration("time")}
	if err := size.Check(); err != nil {
		return err
	}
	return inLab(c, func(self string, progress func(string)) ([]bench.Record, error) {
		return xen.Service(c.Context, xen.Options{Self: self, Log: c.App.ErrWriter, Progress: progress}, size, c.StringSlice("only")...)
	})
}
