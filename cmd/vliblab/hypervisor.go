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
		Usage: "build Xen with this project's module, and print the image's path",
		Description: `Builds what 'vliblab run --xen vlib' boots: Xen with the module, from the
source package of the release's Xen or from the source tree of the same series in
the folder $XEN_SOURCE. It does nothing if the image exists. It takes a few minutes
the first time, and seconds later. xen-syms is beside the image. Installing a
compiler needs root, or sudo without a password; everything else needs neither.

Exits with status 3 if the source is not available.`,
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
				fmt.Fprintf(c.App.ErrWriter, "vliblab: WARNING: this is Xen %s; the release has %s, whose repairs are missing here\n", img.Source, img.Newer)
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
