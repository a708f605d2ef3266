// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/lab"
	"github.com/vlibos/vlibos/lab/module"
)

func hypervisorCommand() *cli.Command {
	return &cli.Command{
		Name:  "hypervisor",
		Usage: "build Xen with this project's module, and print the image's path",
		Description: `Builds what 'vliblab run --xen vlib' boots: Xen with the module, from the
source package of the release's Xen or from the source tree in the folder $XEN_SOURCE,
whose release it then takes unless --release names one. It does nothing if the image exists. It takes a few minutes
the first time, and seconds later. xen-syms is beside the image. Installing a
compiler needs root, or sudo without a password; everything else needs neither.

On the day of a security advisory: 'vliblab hypervisor --refresh' fetches the release's
new packages and source, builds the image again if the source is newer, and says whether
the image is still older than the release's Xen, and which advisories it lacks.

Exits with status 3 if the source is not available.`,
		Flags: []cli.Flag{
			releaseFlag(""),
			&cli.BoolFlag{Name: "details", Usage: "print path, source, given, newer and advisories as NAME=VALUE, a line each"},
			&cli.BoolFlag{Name: "refresh", Usage: "look for newer packages and a newer source of Xen"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "show no progress"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("hypervisor takes no argument, got %q", c.Args().First())
			}
			p := newProgress(c.App.ErrWriter, c.Bool("quiet"), false)
			defer p.Close()
			release := c.String("release")
			if !c.IsSet("release") {
				release = "" // that of the given source
			}
			img, err := lab.Hypervisor(c.Context, release, lab.VlibXen, c.Bool("refresh"), p)
			if errors.Is(err, module.ErrNoSource) {
				return noSource{err}
			}
			if err != nil {
				return err
			}
			p.set("")
			if img.Newer != "" {
				fmt.Fprintf(c.App.ErrWriter, "vliblab: WARNING: this is Xen %s; the release has %s, whose repairs are missing here%s\n", img.Source, img.Newer, list(": ", img.Advisories))
			}
			if c.Bool("details") {
				fmt.Fprintf(c.App.Writer, "path=%s\nsource=%s\ngiven=%v\nnewer=%s\nadvisories=%s\n", img.Path, img.Source, img.Given, img.Newer, list("", img.Advisories))
				return nil
			}
			fmt.Fprintln(c.App.Writer, img.Path)
			return nil
		},
	}
}

// list joins names after a prefix; "" if there are none.
func list(prefix string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return prefix + strings.Join(names, " ")
}
