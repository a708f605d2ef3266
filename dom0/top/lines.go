// SPDX-License-Identifier: Apache-2.0

package top

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Look is how a frame is shown.
type Look struct {
	Width, Height int // of the terminal; 0: as much as there is
	Order         Order
	Status        string // the second line: paused, an error
	Help          bool   // in place of the rows
}

// Line is a line of text; a heading stands out where that is possible.
type Line struct {
	Text    string
	Heading bool
}

var help = []string{
	"q  end                     p  pause, and go on",
	"s  sort by use, name, delay   ?  this help",
	"",
	"FORE %, BACK %   of one CPU, since the last refresh: on the budget, and beyond it",
	"THROTTLED %      it could have run in background, and was not let",
	"LEFT             what is left of the budget now",
	"P50, P99         of the calls since the last refresh, right to 6 %",
	"",
	"What is counted of calls, and of whose: vlibmaster top --help",
}

// Lines makes text of a frame, in the look's order.
func (f *Frame) Lines(l Look) []Line {
	f.Sort(l.Order)
	lines := []Line{{Text: f.headline(l)}, {Text: clean(l.Status)}}
	if f.Throttle != nil {
		lines = append(lines, Line{Text: "throttle: " + clean(f.Throttle.String())})
	}
	if l.Help {
		for _, h := range help {
			lines = append(lines, Line{Text: h})
		}
		return fit(lines, l)
	}
	reservations, calls := f.reservationRows(), f.callRows()
	if l.Height > 0 {
		// What is above the tables, two headings, and a line between them.
		room := max(l.Height-len(lines)-3, 2)
		mine := min(len(reservations)-1, max(room-(len(calls)-1), room/2))
		reservations, calls = cut(reservations, mine), cut(calls, room-mine)
	}
	lines = append(lines, table(reservations)...)
	return fit(append(append(lines, Line{}), table(calls)...), l)
}

func (f *Frame) headline(l Look) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  reservations: %d", f.Time.Format("15:04:05"), clean(f.Host), len(f.Reservations))
	for i, c := range f.CPUs {
		if i == 0 {
			b.WriteString("  CPUs reserved:")
		}
		fmt.Fprintf(&b, " %d: %.0f %%", c.CPU, 100*c.Reserved)
	}
	fmt.Fprintf(&b, "  sorted by %v", l.Order)
	return b.String()
}

func (f *Frame) reservationRows() [][]string {
	rows := [][]string{{"DOMAIN", "NAME", ">FORE %", ">BACK %", ">THROTTLED %", ">BUDGET", ">PERIOD", "LEFT", "PROBLEM"}}
	for _, r := range f.Reservations {
		domain, left := clean(r.On()), bar(r.Left, r.Budget)
		switch {
		case r.Absent:
			domain, left = "(absent)", ""
		case !r.Running():
			domain, left = "(stopped)", ""
		case r.Problem != "":
			left = "" // of what it does not have
		}
		rows = append(rows, []string{domain, clean(r.Name), percent(r.ForegroundShare), percent(r.BackgroundShare), percent(r.ThrottledShare),
			r.Budget.String(), r.Period.String(), left, clean(r.Problem)})
	}
	return rows
}

func (f *Frame) callRows() [][]string {
	rows := [][]string{{"CALLED", "LIBRARY", "FUNCTION", ">CALLS/S", ">P50", ">P99", ">ERRORS/S", ">CALLS", ">ERRORS"}}
	for _, c := range f.Calls {
		name := clean(c.Name)
		if name == "" {
			name = clean(c.Domain)
		}
		rows = append(rows, []string{name, clean(c.Library), clean(c.Function), fmt.Sprintf("%.1f", c.CallsPerSecond), brief(c.P50), brief(c.P99),
			fmt.Sprintf("%.1f", c.ErrorsPerSecond), fmt.Sprint(c.Total), fmt.Sprint(c.ErrorsTotal)})
	}
	return rows
}

// cut leaves n rows below the heading, and says how many are missing.
func cut(rows [][]string, n int) [][]string {
	n = max(n, 1)
	if len(rows)-1 <= n {
		return rows
	}
	return append(rows[:n:n], []string{fmt.Sprintf("… %d more", len(rows)-n)})
}

// widest bounds a cell, but for the last of a row: names can be long.
const widest = 28

// table aligns rows; a heading that begins with > stands at the right.
func table(rows [][]string) []Line {
	width := make([]int, len(rows[0]))
	for n, row := range rows {
		for i, cell := range row {
			if len(row) == len(width) {
				width[i] = max(width[i], min(utf8.RuneCountInString(heading(cell, n)), widest))
			}
		}
	}
	lines := make([]Line, 0, len(rows))
	for n, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			text := heading(cell, n)
			if i < len(row)-1 {
				text = clip(text, widest)
			}
			pad := strings.Repeat(" ", max(width[i]-utf8.RuneCountInString(text), 0))
			if strings.HasPrefix(rows[0][i], ">") {
				text = pad + text
			} else {
				text += pad
			}
			b.WriteString(text + "  ")
		}
		lines = append(lines, Line{strings.TrimRight(b.String(), " "), n == 0})
	}
	return lines
}

func heading(cell string, row int) string {
	if row == 0 {
		return strings.TrimPrefix(cell, ">")
	}
	return cell
}

// fit cuts what the terminal has no room for.
func fit(lines []Line, l Look) []Line {
	if l.Height > 0 {
		lines = lines[:min(len(lines), l.Height)]
	}
	if l.Width > 0 {
		for i := range lines {
			lines[i].Text = clip(lines[i].Text, l.Width)
		}
	}
	return lines
}

func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// clean keeps line breaks and control characters from the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

func percent(share *float64) string {
	if share == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f", 100**share)
}

const cells = 10

// bar shows how much is left of a budget.
func bar(left, budget time.Duration) string {
	full := 0
	if budget > 0 {
		full = int(math.Round(cells * min(max(float64(left)/float64(budget), 0), 1)))
	}
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", cells-full) + "] " + brief(left)
}

// brief is a time to three figures; none of nothing.
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
