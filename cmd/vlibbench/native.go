// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/bench/experiment"
	"github.com/vlibos/vlibos/bench/native"
	"github.com/vlibos/vlibos/internal/cliflag"
)

func nativeCommands() []*cli.Command {
	return []*cli.Command{{
		Name:  "native",
		Usage: "calls between two processes of this machine",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "repeats", Value: 15, Usage: "repeat each comparison `N` times, each A B B A"},
			&cli.StringSliceFlag{Name: "only", Usage: "measure only this `PART`: " + strings.Join(native.Parts, ", ") + "; may be repeated"},
			&cliflag.Duration{Name: "slot", Value: 40 * time.Millisecond, Usage: "length of one measurement of a repeat"},
		},
		Action: nativeAction,
	}}
}

func nativeAction(c *cli.Context) error {
	only := c.StringSlice("only")
	for _, part := range only {
		if !slices.Contains(native.Parts, part) {
			return fmt.Errorf("unknown part %q: want one of %s", part, strings.Join(native.Parts, ", "))
		}
	}
	return experiment.Calls(c.Context, c.Int("repeats"), c.Duration("slot"), only, keep(c))
}
