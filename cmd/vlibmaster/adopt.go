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
		Usage:     "let a domain run on a reservation, and beyond that on time that nobody reserved",
		ArgsUsage: "DOMAIN",
		Description: `The domain, in which nothing of ours needs to run, has --budget of CPU time in
every --period whatever the others do, and more when nobody who has budget wants
the CPU. Repeated with other numbers, it changes them. It holds for the domain's
UUID: also when the domain is started anew.

   vlibmaster adopt web --budget 10ms --period 100ms

A reservation that would not fit beside the others is refused with the one that
would come too late, and with the budget that would fit.`,
		Flags: []cli.Flag{
			&cliflag.Duration{Name: "budget", Required: true, Usage: "`TIME` on a CPU, for example 10ms"},
			&cliflag.Duration{Name: "period", Required: true, Usage: "in every such `TIME`, for example 100ms"},
			&cli.StringFlag{Name: "class", Usage: "`CLASS`: batch gives up background time when memory is slow for others, critical does not; default: as it is, or batch"},
			jsonFlag(""), runDirFlag(),
		},
		Action: adoptAction,
	}
}

func releaseCommand() *cli.Command {
	return &cli.Command{
		Name:        "release",
		Usage:       "let a domain run as if it never had been adopted",
		ArgsUsage:   "DOMAIN",
		Description: "Takes the domain's reservation back. A domain that does not run is meant by its\nname or UUID: 'vlibmaster ps' shows them.",
		Flags:       []cli.Flag{jsonFlag(""), runDirFlag()},
		Action:      releaseAction,
	}
}

// toMaster makes the client of a command.
func toMaster(c *cli.Context) *client.Client {
	return client.New(filepath.Join(c.String("run-dir"), socketName))
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
		want.Class = host.Class(c.String("class"))
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
	_, err = fmt.Fprintf(c.App.Writer, "%s %s: %v every %v (reservation %d)\n", done, oneLine(r.Name), r.Budget, r.Period, r.ID)
	return err
}
