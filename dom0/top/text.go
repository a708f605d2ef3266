// SPDX-License-Identifier: Apache-2.0

package top

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/printable"
)

// Look is how a frame is printed.
type Look struct {
	Height  int // lines that fit; 0: all
	Order   Order
	Status  string // the second line: paused, or an error
	Help    bool   // instead of the tables
	Reverse bool   // headings are in reverse video
}

const help = `q  end                     p  pause, and continue
s  sort by use, name, delay   ?  this help

FORE %, BACK %   of one CPU, since the last refresh: within the budget, and beyond it;
                 a domain without a reservation has all its time in BACK
THROT %          time in background that the throttle took
STEAL %          time for which its vCPUs were runnable and did not run
GATE             closed: none of it runs, open, paused, or it has none
CACHE, MEM/S     what it fills of the third-level caches, what it moves a second
LEFT             of the budget, now
P50, P99         of the calls since the last refresh, with an error of at most 6 %
Which calls are counted: vlibmaster top --help
`

// Text prints a frame in the look's order. Longer lines than the terminal's are
// the terminal's to cut.
func (f *Frame) Text(l Look) string {
	f.Sort(l.Order)
	head := f.headline(l.Order) + "\n" + printable.Line(l.Status) + "\n"
	if f.Throttle != nil {
		head += "throttle: " + printable.Line(f.Throttle.String()) + "\n"
	}
	if l.Help {
		return head + help
	}
	domains, calls := f.domainRows(l.Order), f.callRows()
	if l.Height > 0 {
		// Besides the rows there are the head, two headings and an empty line.
		room := max(l.Height-strings.Count(head, "\n")-3, 2)
		mine := min(len(domains)-1, max(room-(len(calls)-1), room/2))
		domains, calls = cut(domains, mine), cut(calls, room-mine)
	}
	return head + table(domains, l.Reverse) + "\n" + table(calls, l.Reverse)
}

func (f *Frame) headline(o Order) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  domains: %d  reservations: %d", f.Time.Format("15:04:05"), printable.Line(f.Host), len(f.Domains), len(f.Reservations))
	for i, c := range f.CPUs {
		if i == 0 {
			b.WriteString("  CPUs reserved:")
		}
		fmt.Fprintf(&b, " %d: %.0f %%", c.CPU, 100*c.Reserved)
	}
	fmt.Fprintf(&b, "  sorted by %v", o)
	return b.String()
}

// Formats of a row and of its heading: names on the left, numbers on the right.
const (
	domainRow = "%s\t%s\t%6s\t%6s\t%7s\t%7s\t%s%s\t%6v\t%6v\t%s\t%s"
	callRow   = "%s\t%s\t%s\t%7s\t%6s\t%6s\t%8s\t%5v\t%6v"
)

// domainRows are the reservations, and the domains without one.
func (f *Frame) domainRows(o Order) []string {
	type row struct {
		place
		text string
	}
	var all []row
	columns := ""
	used := func(Domain) string { return "" }
	if slices.ContainsFunc(f.Domains, func(d Domain) bool { return d.Cache != nil }) {
		columns = "\tCACHE\tMEM/S"
		used = func(d Domain) string { return "\t" + d.Cache.Filled() + "\t" + d.Cache.PerSecond() }
	}
	of := make(map[uint32]Domain)
	for _, d := range f.Domains {
		if of[d.Reservation] = d; d.Reservation == 0 {
			all = append(all, row{d.place(), fmt.Sprintf(domainRow, printable.Line(d.ID), short(d.Name), "-", percent(d.CPUShare),
				percent(d.ThrottledShare), percent(d.StealShare), gate(d), used(d), "-", "-", "", printable.Line(d.Problem))})
		}
	}
	delete(of, 0)
	for _, r := range f.Reservations {
		domain, left, d := printable.Line(r.On()), bar(r.Left, r.Budget), of[r.ID]
		switch {
		case r.Absent:
			domain, left = "(absent)", ""
		case !r.Running():
			domain, left = "(stopped)", ""
		case r.Problem != "":
			left = "" // it has no budget
		}
		all = append(all, row{r.place(), fmt.Sprintf(domainRow, domain, short(r.Name), percent(r.ForegroundShare), percent(r.BackgroundShare),
			percent(r.ThrottledShare), percent(d.StealShare), gate(d), used(d), r.Budget, r.Period, left, printable.Line(r.Problem))})
	}
	slices.SortStableFunc(all, func(a, b row) int { return o.compare(a.place, b.place) })
	rows := []string{fmt.Sprintf(domainRow, "DOMAIN", "NAME", "FORE %", "BACK %", "THROT %", "STEAL %", "GATE", columns, "BUDGET", "PERIOD", "LEFT", "PROBLEM")}
	for _, r := range all {
		rows = append(rows, r.text)
	}
	return rows
}

// gate is one word also for a domain that has none.
func gate(d Domain) host.Gate { return cmp.Or(d.Gate, "-") }

func (f *Frame) callRows() []string {
	rows := []string{fmt.Sprintf(callRow, "CALLED", "LIBRARY", "FUNCTION", "CALLS/S", "P50", "P99", "ERRORS/S", "CALLS", "ERRORS")}
	for _, c := range f.Calls {
		name := c.Name
		if name == "" {
			name = c.Domain
		}
		rows = append(rows, fmt.Sprintf(callRow, short(name), short(c.Library), short(c.Function), fmt.Sprintf("%.1f", c.CallsPerSecond), brief(c.P50), brief(c.P99),
			fmt.Sprintf("%.1f", c.ErrorsPerSecond), c.Total, c.ErrorsTotal))
	}
	return rows
}

// cut leaves the heading and n rows, and one that says how many are missing.
func cut(rows []string, n int) []string {
	n = max(n, 1)
	if len(rows)-1 <= n {
		return rows
	}
	return append(rows[:n:n], fmt.Sprintf("… %d more", len(rows)-n))
}

// table aligns rows, of which the first is the heading.
func table(rows []string, reverse bool) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(rows, "\n"))
	w.Flush() // to memory
	if !reverse {
		return b.String()
	}
	heading, rest, _ := strings.Cut(b.String(), "\n")
	return "\x1b[7m" + heading + "\x1b[m\n" + rest
}

// short is a name in at most 28 characters that a terminal prints.
func short(name string) string {
	const most = 28
	if all := []rune(printable.Line(name)); len(all) > most {
		return string(all[:most-1]) + "…"
	}
	return printable.Line(name)
}

func percent(share *float64) string {
	if share == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f", 100**share)
}

// bar draws how much of a budget is left.
func bar(left, budget time.Duration) string {
	const cells = 10
	full := 0
	if budget > 0 {
		full = int(math.Round(cells * min(max(float64(left)/float64(budget), 0), 1)))
	}
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", cells-full) + "] " + brief(left)
}

// brief is a time to three digits, or a dash for none.
func brief(d time.Duration) string {
	if d <= 0 {
		return "-"
	}
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}
