// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/lab"
	"github.com/vlibos/vlibos/lab/module"
)

func livepatchCommand() *cli.Command {
	return &cli.Command{
		Name:  "livepatch",
		Usage: "build the module as a live patch of the release's Xen, and print the file's path",
		Description: `Builds what 'vlibmaster module load' loads into a Xen that runs. It is for one build
of Xen, whose build-id is the file's name: the release's own hypervisor, of the version
whose source package can be downloaded.

Exits with status 3 if its source, or that hypervisor, is not available.`,
		Flags: []cli.Flag{
			releaseFlag(""),
			&cli.BoolFlag{Name: "details", Usage: "print path, hypervisor, build-id and source as NAME=VALUE, a line each"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "show no progress"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("livepatch takes no argument, got %q", c.Args().First())
			}
			p := newProgress(c.App.ErrWriter, c.Bool("quiet"), false)
			defer p.Close()
			l, err := lab.LivePatch(c.Context, c.String("release"), p)
			if errors.Is(err, module.ErrNoSource) || errors.Is(err, module.ErrNoBinary) {
				return noSource{err}
			}
			if err != nil {
				return err
			}
			p.set("")
			if c.Bool("details") {
				_, err = fmt.Fprintf(c.App.Writer, "path=%s\nhypervisor=%s\nbuild-id=%s\nsource=%s\n", l.Patch, l.Hypervisor, l.BuildID, l.Source)
				return err
			}
			_, err = fmt.Fprintln(c.App.Writer, l.Patch)
			return err
		},
	}
}
