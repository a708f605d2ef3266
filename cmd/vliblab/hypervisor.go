// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/lab"
	"github.com/vlibos/vlibos/lab/module"
)

func hypervisorCommand() *cli.Command {
	return &cli.Command{
		Name:  "hypervisor",
		Usage: "build Xen with this project's module, print the image's path",
		Description: `Builds what 'vliblab run --xen vlib' boots: the source package of the
release's Xen, or the source tree of the same series in the folder $XEN_SOURCE,
with the module in it. Does nothing if that is there already. The first time it
takes a few minutes, later seconds. xen-syms is beside the image. Installing a
compiler needs root or sudo without a password; all else needs neither.

Ends with status 3 where the source cannot be had.`,
		Flags: []cli.Flag{
			releaseFlag(""),
			&cli.BoolFlag{Name: "details", Usage: "print path, source, given and newer as NAME=VALUE, a line each"},
			&cli.BoolFlag{Name: "refresh", Usage: "look for a newer source package of Xen"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "show no progress"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("hypervisor takes no argument, got %q", c.Args().First())
			}
			p := newProgress(c.App.ErrWriter, c.Bool("quiet"), false)
			defer p.Close()
			img, err := lab.Hypervisor(c.Context, c.String("release"), lab.VlibXen, c.Bool("refresh"), p)
			if errors.Is(err, module.ErrNoSource) {
				return noSource{err}
			}
			if err != nil {
				return err
			}
			p.set("")
			if img.Newer != "" {
				fmt.Fprintf(c.App.ErrWriter, "vliblab: WARNING: this is Xen %s; the release has %s, and what was repaired since is missing\n", img.Source, img.Newer)
			}
			if c.Bool("details") {
				fmt.Fprintf(c.App.Writer, "path=%s\nsource=%s\ngiven=%v\nnewer=%s\n", img.Path, img.Source, img.Given, img.Newer)
				return nil
			}
			fmt.Fprintln(c.App.Writer, img.Path)
			return nil
		},
	}
}
