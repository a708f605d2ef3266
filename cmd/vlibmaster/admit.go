// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/internal/cpulist"
)

func admitCommand() *cli.Command {
	return &cli.Command{
		Name:      "admit",
		Usage:     "test whether reservations would fit",
		ArgsUsage: "FILE",
		Description: `FILE is a configuration (see 'vlibmaster serve --help'). Its [[adopt]] tables are
tested together, beside the reservations of now. Nothing is changed. A domain that
does not exist yet is tested on every CPU that a domain without pins may use.

   vlibmaster admit more.toml`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Usage: "has no effect: admit never changes anything"},
			jsonFlag(""), runDirFlag(),
		},
		Action: admitAction,
	}
}

func admitAction(c *cli.Context) error {
	if c.NArg() != 1 {
		return usagef("admit needs one FILE, got %d arguments: see vlibmaster admit --help", c.NArg())
	}
	cfg, err := config.Load(c.Args().First())
	if err != nil {
		return err
	}
	m := toMaster(c)
	defer m.Close()
	t, err := m.Try(c.Context, cfg.Adopt)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return joinObjects(c.App.Writer, struct {
			Fit int `json:"fit"`
			api.Trial
		}{len(cfg.Adopt), t})
	}
	text := fmt.Sprintf("%d reservations would fit", len(cfg.Adopt))
	if len(t.Absent) > 0 {
		text += fmt.Sprintf("; domains that do not exist yet, tested on CPUs %s: %s", cpulist.Format(t.CPUs), strings.Join(t.Absent, ", "))
	}
	_, err = fmt.Fprintln(c.App.Writer, oneLine(text))
	return err
}
