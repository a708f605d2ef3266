// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host/native"
)

func cgroupCommand() *cli.Command {
	usage := func(c *cli.Context, err error, _ bool) error { return usagef("%w", err) }
	return &cli.Command{
		Name:  "cgroup",
		Usage: "create domains on a machine without Xen: cgroups of ordinary processes",
		Description: `On the native host a domain is a cgroup below '` + native.DefaultParent + `' (--native-cgroup); it includes all
processes that its processes start. Needs root and the cpu controller (cgroup v2 or v1).

   vlibmaster cgroup run busy -- sh -c 'while :; do :; done'
   vlibmaster adopt busy --budget 10ms --period 100ms
   vlibmaster cgroup remove busy`,
		Subcommands: []*cli.Command{
			{
				Name: "run", Usage: "run CMD in a new domain, in place of this program", ArgsUsage: "NAME -- CMD [ARG…]",
				OnUsageError: usage, HideHelpCommand: true, Action: cgroupRunAction,
			},
			{
				Name: "remove", Usage: "remove a domain; its processes continue outside it", ArgsUsage: "NAME",
				OnUsageError: usage, HideHelpCommand: true, Action: cgroupRemoveAction,
			},
		},
	}
}

func cgroupRunAction(c *cli.Context) (err error) {
	if c.NArg() < 2 {
		return usagef("cgroup run needs a NAME and a command: vlibmaster cgroup run NAME -- CMD [ARG…]")
	}
	name, argv := c.Args().First(), c.Args().Tail()
	if err := native.CheckName(name); err != nil {
		return usagef("%w", err)
	}
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	p, err := native.Open(native.Options{Parent: c.String("native-cgroup")})
	if err != nil {
		return err
	}
	defer closing(&err, p)
	if err := p.Create(name, os.Getpid()); err != nil {
		return err
	}
	err = fmt.Errorf("%s: %w", program, unix.Exec(program, argv, os.Environ()))
	return errors.Join(err, p.Remove(context.WithoutCancel(c.Context), name))
}

func cgroupRemoveAction(c *cli.Context) (err error) {
	if c.NArg() != 1 {
		return usagef("cgroup remove needs one NAME, got %d arguments", c.NArg())
	}
	name := c.Args().First()
	if err := native.CheckName(name); err != nil {
		return usagef("%w", err)
	}
	p, err := native.Open(native.Options{Parent: c.String("native-cgroup")})
	if err != nil {
		return err
	}
	defer closing(&err, p)
	return p.Remove(c.Context, name)
}
