// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/bench/scale"
	"github.com/vlibos/vlibos/internal/cliflag"
)

func scaleCommands() []*cli.Command {
	return []*cli.Command{{
		Name:  "scale",
		Usage: "what many idle domains cost the daemon, with cgroups as domains; needs root, and vlibmaster beside this program",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "domains", Value: 949, Usage: "make `N` domains of one sleeping process each"},
			&cliflag.Duration{Name: "budget", Value: 500 * time.Microsecond, Usage: "the reservation of each"},
			&cliflag.Duration{Name: "period", Value: 1500 * time.Millisecond, Usage: "its period"},
			&cliflag.Duration{Name: "rest", Value: 20 * time.Second, Usage: "watch the daemon at rest for `TIME`"},
			&cli.IntFlag{Name: "repeats", Value: 10, Usage: "repeat each operation `N` times"},
		},
		Action: scaleAction,
	}}
}

func scaleAction(c *cli.Context) error {
	if c.Int("domains") < 1 || c.Int("repeats") < 1 || c.Duration("rest") <= 0 {
		return fmt.Errorf("--domains %d, --repeats %d, --rest %v: each is at least 1", c.Int("domains"), c.Int("repeats"), c.Duration("rest"))
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return keepAll(c)(scale.Run(c.Context, scale.Options{
		Program: filepath.Join(filepath.Dir(self), "vlibmaster"), Domains: c.Int("domains"), Budget: c.Duration("budget"), Period: c.Duration("period"),
		Rest: c.Duration("rest"), Repeats: c.Int("repeats"),
		Progress: func(text string) { fmt.Fprintln(c.App.ErrWriter, text) },
	}))
}
