// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/lab"
)

func savedCommand() *cli.Command {
	return &cli.Command{
		Name:      "saved",
		Usage:     "list the saved machines, or remove them",
		ArgsUsage: "[KEY…]",
		Description: `Each run resumes a machine that an earlier run with the same ingredients has
saved, or boots and saves one. This lists them, the last used first.`,
		Flags:  []cli.Flag{&cli.BoolFlag{Name: "remove", Usage: "remove the machines with these keys, or all"}},
		Action: savedAction,
	}
}

func savedAction(c *cli.Context) error {
	store, err := lab.Saved()
	if err != nil {
		return err
	}
	entries, err := store.List()
	if err != nil {
		return err
	}
	known := make(map[string]bool)
	for _, e := range entries {
		known[e.Key] = true
	}
	keys := c.Args().Slice()
	for _, key := range keys {
		if !known[key] {
			return usagef("unknown saved machine %q: 'vliblab saved' lists them", key)
		}
	}
	if c.Bool("remove") {
		if len(keys) == 0 {
			return store.RemoveAll()
		}
		for _, key := range keys {
			if err := store.Remove(key); err != nil {
				return err
			}
		}
		return nil
	}
	if len(keys) > 0 {
		return usagef("saved takes keys only with --remove")
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tMIB\tLAST USED\tMACHINE")
	for _, e := range entries {
		what := fmt.Sprintf("%s; Xen %s, Linux %s", e.About.What, e.About.Xen, e.About.Kernel)
		if e.Damaged != nil {
			what = e.Damaged.Error()
		}
		fmt.Fprintf(w, "%s\t%d\t%s ago\t%s\n", e.Key, e.Bytes>>20, time.Since(e.Used).Round(time.Second), what)
	}
	return w.Flush()
}
