// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/contended"
	"github.com/vlibos/vlibos/bench/native"
	"github.com/vlibos/vlibos/bench/simulated"
)

func simulateCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name:  "simulate",
			Usage: "a recorded memcached beside batch jobs on a simulated memory bus, under each control; needs nothing",
			Flags: []cli.Flag{
				&cli.IntFlag{Name: "rounds", Value: simulated.Defaults.Rounds, Usage: "measure each mode `N` times"},
				&cli.Uint64Flag{Name: "seed", Value: simulated.Defaults.Seed, Usage: "`NUMBER` that determines everything"},
				&cli.IntFlag{Name: "rate", Value: simulated.Defaults.Rate, Usage: "requests a second"},
				&cli.IntFlag{Name: "record", Usage: "record `N` requests in place of measuring, and print the table: boots the lab, then runs memcached here"},
			},
			Action: simulateAction,
		},
		{
			Name:   contended.Dom0RequestsArg,
			Hidden: true,
			Action: func(c *cli.Context) error {
				n, err := strconv.Atoi(c.Args().First())
				if err != nil {
					return err
				}
				return contended.Dom0Requests(c.Context, n, c.App.Writer)
			},
		},
	}
}

func simulateAction(c *cli.Context) error {
	if n := c.Int("record"); n > 0 {
		return recordRequests(c, n)
	}
	o := simulated.Options{Rounds: c.Int("rounds"), Seed: c.Uint64("seed"), Rate: c.Int("rate"), Progress: stages(c)}
	records, err := simulated.Run(c.Context, o)
	return errors.Join(keepAll(c)(records, err), simulated.Print(c.App.Writer, records))
}

// recordRequests prints the table in bench/simulated/recorded.go.
func recordRequests(c *cli.Context, n int) error {
	if err := begin(c.App.ErrWriter, append(labNeeds(), needsCPUs())); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	turns, err := contended.Requests(c.Context, contended.Options{Self: self, Log: c.App.ErrWriter, Progress: stages(c)}, n)
	if err != nil {
		return err
	}
	service, err := memcached(c.Context, c.App.ErrWriter)
	if err != nil {
		return err
	}
	cpu, _, err := native.Cores()
	if err != nil {
		return err
	}
	ns, err := service.Each(c.Context, cpu, n, func() error { return nil }, func(pid int) (uint64, error) {
		used, err := bench.CPUTime(pid)
		return uint64(used), err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "turns on the bus: %v\nCPU time in ns:   %v\n", simulated.Twentieths(turns), simulated.Twentieths(ns))
	return err
}
