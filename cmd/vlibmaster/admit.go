// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/config"
)

func admitCommand() *cli.Command {
	return &cli.Command{
		Name:      "admit",
		Usage:     "tell whether reservations would fit",
		ArgsUsage: "FILE",
		Description: `FILE is a configuration (see 'vlibmaster serve --help') whose [[adopt]] tables are
tried together, beside what is adopted now. Nothing is changed.

   vlibmaster admit --dry-run more.toml`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", Required: true, Usage: "change nothing: there is no other way, 'adopt' and the configuration make reservations"},
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
		return withJSON(c.App.Writer, c.Bool("json"), err)
	}
	m := toMaster(c)
	defer m.Close()
	if err := m.Try(c.Context, cfg.Adopt); err != nil {
		return withJSON(c.App.Writer, c.Bool("json"), err)
	}
	if c.Bool("json") {
		return joinObjects(c.App.Writer, struct {
			Fit int `json:"fit"`
		}{len(cfg.Adopt)})
	}
	_, err = fmt.Fprintf(c.App.Writer, "%d reservations would fit\n", len(cfg.Adopt))
	return err
}
