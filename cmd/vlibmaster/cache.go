// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
)

func cacheCommand() *cli.Command {
	return &cli.Command{
		Name:  "cache",
		Usage: "show how caches and memory bandwidth are shared out",
		Subcommands: []*cli.Command{{
			Name:  "show",
			Usage: "show classes, their parts of the caches, their domains, and what those use",
			Description: `Classes are the tables [[cache]] of the configuration. Each # is a part (way) of the
third-level cache that the class may fill, each . one that it may not; the highest bit
of the mask is on the left. With code and data apart there is a picture of each. L2 and
MBA are the mask of each second-level cache and the bandwidth in per cent; a dash: the
class does not set them.

FILLS is what a domain has in the third-level caches now, MOVES/S what it moved between
them and memory in a second. Xen tells if the processor monitors it, and was started with
psr=cmt; Linux, if resctrl is mounted. A processor has a number of monitoring IDs; a domain without one has a reason
in place of figures. A line that a former domain with the same ID has left in the cache
counts for the domain that has the ID now.`,
			Flags:  []cli.Flag{jsonFlag(""), runDirFlag()},
			Action: cacheShowAction,
		}},
	}
}

func cacheShowAction(c *cli.Context) error {
	if err := noArguments(c); err != nil {
		return err
	}
	m := toMaster(c)
	defer m.Close()
	all, err := m.Caches(c.Context)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return joinObjects(c.App.Writer, all)
	}
	return printCaches(c.App.Writer, all)
}

func printCaches(w io.Writer, c api.Caches) error {
	if c.Problem != "" {
		fmt.Fprintf(w, "shared out: nothing: %s\n", oneLine(c.Problem))
	} else {
		fmt.Fprintf(w, "shared out: %s\n", oneLine(c.Layout))
	}
	switch {
	case c.Unmonitored != "":
		fmt.Fprintf(w, "not monitored: %s\n", oneLine(c.Unmonitored))
	case c.Capacity == 0:
		fmt.Fprintln(w, "monitored: third-level caches, whose size Xen does not know")
	default:
		fmt.Fprintf(w, "monitored: %s of third-level caches\n", (&host.CacheUse{Occupied: c.Capacity}).Filled())
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nCLASS\tL3\tL2\tMBA\tDOMAIN\tNAME\tFILLS\tMOVES/S\n")
	for _, k := range c.Classes {
		printMembers(t, fmt.Sprintf("%s\t%s\t%s\t%s", k.Name, picture(k, c.Ways), or(k.L2 != 0, "%#x", k.L2), or(k.Bandwidth != 0, "%d %%", k.Bandwidth)), k.Members)
	}
	if len(c.Without) > 0 {
		printMembers(t, "(none)\t\t\t", c.Without)
	}
	return t.Flush()
}

// printMembers prints a class beside the first of its domains.
func printMembers(w io.Writer, class string, all []api.CacheMember) {
	if len(all) == 0 {
		fmt.Fprintf(w, "%s\t-\t\t\t\n", class)
	}
	for _, d := range all {
		use := d.Use.Filled() + "\t" + d.Use.PerSecond()
		if d.Use != nil && d.Use.Problem != "" {
			use += " (" + oneLine(d.Use.Problem) + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", class, oneLine(d.ID), oneLine(d.Name), use)
		class = "\t\t\t"
	}
}

// picture draws the masks of the third-level cache, the highest bit first.
func picture(k api.CacheClass, ways int) string {
	if k.L3Code == 0 {
		return "-"
	}
	draw := func(mask uint64) string {
		return strings.NewReplacer("1", "#", "0", ".").Replace(fmt.Sprintf("%0*b", ways, mask))
	}
	if k.L3Code == k.L3Data {
		return draw(k.L3Code)
	}
	return "code " + draw(k.L3Code) + ", data " + draw(k.L3Data)
}

// or is a value in words, or a dash if there is none.
func or(there bool, format string, v any) string {
	if !there {
		return "-"
	}
	return fmt.Sprintf(format, v)
}
