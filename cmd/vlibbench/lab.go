// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/xen"
	"github.com/vlibos/vlibos/lab"
)

// firstDomU is the number of the first domain that a new Xen starts.
const firstDomU = 1

func labCommands() []*cli.Command {
	const dom0, dom0Calls, dom0Profile = "lab-dom0", "resume-dom0", "profile-dom0"
	return []*cli.Command{
		{
			Name:  "lab",
			Usage: "calls into a DomU on real Xen, in instructions",
			Action: func(c *cli.Context) error {
				return inLab(c, func(self string, progress func(string)) ([]bench.Record, error) {
					return xen.Run(c.Context, xen.Options{
						Self: self, Dom0Arg: dom0, Log: c.App.ErrWriter, Progress: progress,
					})
				})
			},
		},
		{
			Name:  "resume",
			Usage: "a resumed machine compared with a booted one",
			Action: func(c *cli.Context) error {
				return inLab(c, func(self string, progress func(string)) ([]bench.Record, error) {
					return xen.Resume(c.Context, xen.Options{
						Self: self, Dom0Arg: dom0Calls, Log: c.App.ErrWriter, Progress: progress,
					})
				})
			},
		},
		{
			Name:  "profile",
			Usage: "where the instructions of a call go: Xen, Linux, Go and this project, by function",
			Flags: []cli.Flag{&cli.StringFlag{Name: "xen", Value: lab.VlibXen, Usage: "boot this `HYPERVISOR`, as vliblab run does"}},
			Action: func(c *cli.Context) error {
				if err := begin(c.App.ErrWriter, labNeeds()); err != nil {
					return err
				}
				self, err := os.Executable()
				if err != nil {
					return err
				}
				return xen.Profile(c.Context, xen.Options{
					Self: self, Dom0Arg: dom0Profile, Log: c.App.ErrWriter, Progress: stages(c),
				}, c.String("xen"), c.App.Writer)
			},
		},
		{
			Name:   dom0Profile,
			Hidden: true,
			Action: func(c *cli.Context) error { return xen.Dom0Profile(c.Context, c.App.Writer) },
		},
		{
			Name:   dom0Calls,
			Hidden: true,
			Action: func(c *cli.Context) error { return xen.Dom0Calls(c.Context, firstDomU, c.App.Writer) },
		},
		{
			Name:   dom0,
			Hidden: true,
			Action: func(c *cli.Context) error { return xen.Dom0(c.Context, firstDomU, c.App.Writer) },
		},
		{
			Name:   xen.EchoArg,
			Hidden: true,
			Action: func(*cli.Context) error { return xen.Echo() },
		},
	}
}

// inLab runs an experiment that boots the lab with this program in it, shows its
// progress, and keeps its records. It says first what is missing here for it; also is
// what the experiment needs beyond the lab.
func inLab(c *cli.Context, run func(self string, progress func(stage string)) ([]bench.Record, error), also ...error) error {
	if err := begin(c.App.ErrWriter, append(labNeeds(), also...)); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return keepAll(c)(run(self, stages(c)))
}

// stages returns a function that shows the name of a stage.
func stages(c *cli.Context) func(stage string) {
	return func(stage string) {
		if stage != "" {
			fmt.Fprintf(c.App.ErrWriter, "vlibbench: %s: %s\n", c.Command.Name, stage)
		}
	}
}
