// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/bench/counted"
)

// firstDomU is the first domain that a fresh Xen starts.
const firstDomU = 1

func labCommands() []*cli.Command {
	const dom0 = "lab-dom0"
	return []*cli.Command{
		{
			Name:  "lab",
			Usage: "calls into a DomU on real Xen, in instructions",
			Action: func(c *cli.Context) error {
				exe, err := os.Executable()
				if err != nil {
					return err
				}
				records, err := counted.Run(c.Context, counted.Options{
					Self: exe, Dom0Arg: dom0, Log: c.App.ErrWriter,
					Progress: func(stage string) {
						if stage != "" {
							fmt.Fprintln(c.App.ErrWriter, "vlibbench: lab:", stage)
						}
					},
				})
				if err != nil {
					return err
				}
				for _, r := range records {
					if err := keep(c)(r); err != nil {
						return err
					}
				}
				return nil
			},
		},
		{
			Name:   dom0,
			Hidden: true,
			Action: func(c *cli.Context) error { return counted.Dom0(c.Context, firstDomU, c.App.Writer) },
		},
	}
}
