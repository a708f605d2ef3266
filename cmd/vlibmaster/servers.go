// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/vlibos/vlibos/dom0/api"
)

// printServers is the table of servers, of reservations for which the host has
// several.
func printServers(w io.Writer, all []api.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nSERVERS OF\tVCPU\tCPU\tLEFT\tFOREGROUND\tBACKGROUND")
	for _, s := range all {
		for i, p := range s.Usage.Servers {
			cpu := "-"
			if p.CPU >= 0 {
				cpu = strconv.Itoa(p.CPU)
			}
			if slices.Contains(s.Idle(), i) {
				cpu += " (unplugged)"
			}
			if p.Unadmitted {
				cpu += " (not admitted)"
			}
			fmt.Fprintf(t, "%s\t%d\t%s\t%v\t%v\t%v\n", oneLine(s.Name), i, cpu, short(p.Left), short(p.Foreground), short(p.Background))
		}
	}
	return t.Flush()
}
