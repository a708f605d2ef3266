// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos"
	"github.com/vlibos/vlibos/internal/cliflag"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "run a command on a reservation that also pays for its calls",
		ArgsUsage: "-- CMD [ARG…]",
		Description: `CMD and the processes that it starts have --budget of CPU time in every --period.
Calls to DOMAIN are paid from the same budget: the CPU time of the domain for a call
counts as theirs. While there is budget they are real-time processes, before those of
longer periods and before all ordinary ones; without budget they, and the domains that
they call, run on time that nothing else needs. The reservation ends with the last
process.

   vlibmaster run --budget 10ms --period 100ms --calls db -- ./tool

'vlibmaster call' and programs that use this project's Go packages find the
reservation's number in ` + vlibos.Environment + `. On the native host a DOMAIN's server must
run in its cgroup: vlibmaster cgroup run db -- vlib-server --transport native --name db`,
		Flags: []cli.Flag{
			&cliflag.Duration{Name: "budget", Required: true, Usage: "`TIME` on a CPU, for example 10ms"},
			&cliflag.Duration{Name: "period", Required: true, Usage: "in every such `TIME`, for example 100ms"},
			&cli.StringSliceFlag{Name: "calls", Usage: "allow calls to `DOMAIN`: a number, a name or a UUID; may be repeated"},
			runDirFlag(),
		},
		Action: runAction,
	}
}

func runAction(c *cli.Context) error {
	argv := c.Args().Slice()
	if len(argv) == 0 {
		return usagef("run needs a command: vlibmaster run --budget 10ms --period 100ms -- CMD [ARG…]")
	}
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	r, err := vlibos.Reserve(c.Context, vlibos.ReserveOptions{
		Budget: c.Duration("budget"), Period: c.Duration("period"), Calls: c.StringSlice("calls"),
		Name: filepath.Base(program), RunDir: c.String("run-dir"),
	})
	if err != nil {
		return err
	}
	if err := os.Setenv(vlibos.Environment, strconv.FormatUint(uint64(r.Number()), 10)); err != nil {
		return errors.Join(err, r.Close())
	}
	err = unix.Exec(program, argv, os.Environ())
	return errors.Join(fmt.Errorf("%s: %w", program, err), r.Close())
}
