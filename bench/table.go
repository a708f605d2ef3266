// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Table writes the records as text: each value with its target, then the raw
// numbers of each record.
func Table(w io.Writer, records []Record) error {
	if len(records) == 0 {
		_, err := fmt.Fprintln(w, "nothing has been measured yet")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tVALUE\tUNIT\tTARGET\t")
	for _, r := range records {
		target := "-"
		if r.Target != nil {
			sign := map[Better]string{Lower: "≤", Higher: "≥"}[r.Better]
			target = sign + " " + Figure(*r.Target)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.Name, Figure(r.Value), r.Unit, target, r.Conclusion())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nraw numbers")
	for _, r := range records {
		fmt.Fprintf(w, "  %s (%s)\n", r.Name, r.Machine)
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(r.Raw)) {
			parts = append(parts, key+" "+Figure(r.Raw[key]))
		}
		if _, err := fmt.Fprintf(w, "    %s\n", strings.Join(parts, ", ")); err != nil {
			return err
		}
	}
	return nil
}

// Figure formats a number with three significant digits, or with all digits if
// it is whole.
func Figure(v float64) string {
	if v == math.Trunc(v) || math.Abs(v) >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
