// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/lab"
)

func hypervisorCommand() *cli.Command {
	return &cli.Command{
		Name:  "hypervisor",
		Usage: "build Xen with this project's module, print the image's path",
		Description: `Builds what 'vliblab run --xen vlib' boots: the source package of the
distribution's Xen, with the module in it. Does nothing if that is there already.
The first time it takes a few minutes, later seconds. xen-syms is beside the image.
Installing a compiler needs root or sudo without a password; all else needs neither.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "refresh", Usage: "look for a newer source package of Xen"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "show no progress"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("hypervisor takes no argument, got %q", c.Args().First())
			}
			p := newProgress(c.App.ErrWriter, c.Bool("quiet"), false)
			defer p.Close()
			path, err := lab.Hypervisor(c.Context, lab.VlibXen, c.Bool("refresh"), p)
			if err != nil {
				return err
			}
			p.set("")
			fmt.Fprintln(c.App.Writer, path)
			return nil
		},
	}
}
