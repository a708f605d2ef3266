// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/xen"
)

func stockCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name:  "stock",
			Usage: "budgets on an unmodified Xen: foreground and background by scheduler and period",
			Flags: []cli.Flag{
				&cli.StringSliceFlag{Name: "only", Usage: "boot only with this `SCHEDULER`: credit2, credit, rtds; may be repeated"},
			},
			Action: stockAction,
		},
		{
			Name:   xen.Dom0StockArg,
			Hidden: true,
			Action: func(c *cli.Context) error { return xen.Dom0Stock(c.Context, c.App.Writer) },
		},
	}
}

func stockAction(c *cli.Context) error {
	var all []bench.Record
	err := inLab(c, func(self string, progress func(string)) (records []bench.Record, err error) {
		all, err = xen.Stock(c.Context, xen.Options{Self: self, Log: c.App.ErrWriter, Progress: progress}, c.StringSlice("only")...)
		return all, err
	})
	if err != nil {
		return err
	}
	return xen.StockTable(c.App.Writer, all)
}
