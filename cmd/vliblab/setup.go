// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/lab"
)

func setupCommand() *cli.Command {
	return &cli.Command{
		Name:  "setup",
		Usage: "install QEMU, download packages, and build the base images",
		Description: `Does only what is missing, and nothing on a machine that is set up. Installing
QEMU, xz and zstd needs root, or sudo without a password; everything else needs neither.`,
		Flags: []cli.Flag{
			releaseFlag(""),
			&cli.BoolFlag{Name: "refresh", Usage: "look for newer packages of Xen and the kernel"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "show no progress"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("setup takes no argument, got %q", c.Args().First())
			}
			p := newProgress(c.App.ErrWriter, c.Bool("quiet"), false)
			defer p.Close()
			base, err := lab.Setup(c.Context, c.String("release"), c.Bool("refresh"), p)
			if err != nil {
				return err
			}
			p.set("")
			fmt.Fprintf(c.App.Writer, "ready: Xen %s, Linux %s, images in %s\n", base.Xen, base.Kernel, base.Dir)
			return nil
		},
	}
}
