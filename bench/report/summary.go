// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/vlibos/vlibos/bench"
)

// Summary writes what the page says, for a terminal.
func Summary(w io.Writer, all []bench.Record) error { return write(w, all, true) }

// Measured is Summary without the figures that have no records.
func Measured(w io.Writer, all []bench.Record) error { return write(w, all, false) }

func write(w io.Writer, all []bench.Record, missing bool) error {
	sections, rest, err := sort(all)
	if err != nil {
		return err
	}
	for _, f := range brief(all) {
		fmt.Fprintf(w, "%s: %s\n", f.Topic, f.Text)
	}
	fmt.Fprintln(w)
	sections = append(sections, section{Title: "Also measured", Records: rest, Doubts: doubts(rest)})
	for _, s := range sections {
		if len(s.Records) == 0 && (!missing || len(s.Commands) == 0) {
			continue
		}
		fmt.Fprintf(w, "%s\n%s\n", s.Title, strings.Repeat("-", len([]rune(s.Title))))
		if len(s.Records) == 0 {
			fmt.Fprintf(w, "  not measured yet: %s\n\n", strings.Join(s.Commands, "; "))
			continue
		}
		for _, d := range s.Doubts {
			fmt.Fprintf(w, "  NO CONCLUSION: %s\n", d)
		}
		for _, line := range s.Said {
			fmt.Fprintf(w, "  %s\n", line)
		}
		for _, r := range s.Records {
			target := ""
			if r.Target != nil {
				target = fmt.Sprintf("  target %s: %s", human(*r.Target, r.Unit), conclusion(r))
			}
			fmt.Fprintf(w, "  %-30s %10s%s\n", r.Name, human(r.Value, r.Unit), target)
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return nil
}
