// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/client"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/cliflag"
	"github.com/vlibos/vlibos/rtsched"
)

func adoptCommand() *cli.Command {
	return &cli.Command{
		Name:      "adopt",
		Usage:     "give a domain a reservation; beyond it, the domain runs on unreserved time",
		ArgsUsage: "DOMAIN",
		Description: `The domain has --budget of CPU time in every --period whatever other domains do,
and more while no domain with budget needs the CPU. It needs no software of this
project. Repeat the command to change budget and period. The reservation belongs to
the domain's UUID and remains when the domain is restarted.

   vlibmaster adopt web --budget 10ms --period 100ms

All vCPUs of the domain share the budget, unless --vcpus says how many have one of
their own, each on its own CPU:

   vlibmaster adopt web --budget 50ms --period 100ms --vcpus 4

--with-device-model also puts the domain's device model on the reservation, and the
threads of this system's kernel that serve its disks and networks. What they use is
charged to the budget. With budget they go before other programs here, without budget
they run on what is left. The budget is then promised on their CPUs, too. A restarted
device model is put on the reservation again. Without the flag a repeated command takes
them off.

A reservation that does not fit beside the others is refused. The error names the
reservation that would be late and the largest budget that fits.`,
		Flags: []cli.Flag{
			&cliflag.Duration{Name: "budget", Required: true, Usage: "`TIME` on a CPU, for example 10ms"},
			&cliflag.Duration{Name: "period", Required: true, Usage: "in every such `TIME`, for example 100ms"},
			&cli.StringFlag{Name: "vcpus", Usage: "`NUMBER` of vCPUs that have the budget each, or all; default: unchanged, or all share one"},
			&cli.BoolFlag{Name: "with-device-model", Usage: "its device model and the threads of its back ends are charged to the budget, too"},
			&cli.StringFlag{Name: "class", Usage: "`CLASS`: batch loses background time when memory is slow for others, critical does not; default: unchanged, or batch"},
			jsonFlag(""), runDirFlag(),
		},
		Action: adoptAction,
	}
}

func releaseCommand() *cli.Command {
	return &cli.Command{
		Name:        "release",
		Usage:       "take a domain's reservation away",
		ArgsUsage:   "DOMAIN",
		Description: "The domain then runs as before 'vlibmaster adopt'. Name a domain that does not run\nby its name or UUID, which 'vlibmaster ps' shows.",
		Flags:       []cli.Flag{jsonFlag(""), runDirFlag()},
		Action:      releaseAction,
	}
}

// toMaster makes the client of a command.
func toMaster(c *cli.Context) *client.Client {
	return client.New(filepath.Join(c.String("run-dir"), api.SocketName))
}

// oneDomain is the argument of a command about one.
func oneDomain(c *cli.Context) (string, error) {
	if c.NArg() != 1 {
		return "", usagef("%s needs one DOMAIN, got %d arguments: see vlibmaster %s --help", c.Command.Name, c.NArg(), c.Command.Name)
	}
	return c.Args().First(), nil
}

func adoptAction(c *cli.Context) error {
	return report(c, "adopted", func(m *client.Client, domain string) (api.Reservation, error) {
		want := api.Reservation{Reservation: host.Domain{Name: domain}.On(rtsched.Task{Budget: c.Duration("budget"), Period: c.Duration("period")})}
		want.Class, want.DeviceModel = host.Class(c.String("class")), c.Bool("with-device-model")
		if text := c.String("vcpus"); text != "" {
			var err error
			if want.Servers, err = host.ParseVCPUs(text); err != nil {
				return api.Reservation{}, usagef("--vcpus: %w", err)
			}
		}
		return m.Reserve(c.Context, want)
	})
}

func releaseAction(c *cli.Context) error {
	return report(c, "released", func(m *client.Client, domain string) (api.Reservation, error) {
		return m.Release(c.Context, domain)
	})
}

// report prints what the master did for a domain.
func report(c *cli.Context, done string, do func(m *client.Client, domain string) (api.Reservation, error)) error {
	domain, err := oneDomain(c)
	if err != nil {
		return err
	}
	m := toMaster(c)
	defer m.Close()
	r, err := do(m, domain)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return joinObjects(c.App.Writer, r)
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s %s: %s every %v (reservation %d)\n", done, oneLine(r.Name), r.Servings(), r.Period, r.ID)
	return err
}
