// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/vlibos/vlibos/bench"
)

// chart is a drawing for the template. All positions are in units of the SVG.
type chart struct {
	ID            string
	Title         string // for readers who cannot see it
	Width, Height int
	Ticks         []tick
	Bars          []bar
	Curves        []curve
	Clouds        []cloud
	Marks         []mark
	Labels        []label
	// Axis says what the ticks mean.
	Axis string
	// Plot is the area of the data.
	Left, Top, Right, Bottom float64
}

type (
	tick struct {
		X1, Y1, X2, Y2, TextX, TextY float64
		Anchor, Text                 string
	}
	bar struct {
		X, Y, Width, Height float64
		Class, Text         string
		TextX, TextY        float64
		// Low and High are the ends of the spread; they are equal without one.
		Low, High, Middle float64
	}
	curve struct{ Class, Path, Dash string }
	cloud struct{ Class, Path string }
	mark  struct {
		X1, Y1, X2, Y2, TextX, TextY float64
		Text                         string
	}
	label struct {
		X, Y                float64
		Anchor, Class, Text string
	}
)

// width is that of all charts; the page scales them.
const width = 760

// scale maps values to positions.
type scale struct {
	from, to float64 // range of values
	a, b     float64 // range of positions
	log      bool
}

func (s scale) at(v float64) float64 {
	from, to := s.from, s.to
	if s.log {
		v, from, to = math.Log10(max(v, s.from)), math.Log10(from), math.Log10(to)
	}
	share := (v - from) / (to - from)
	return s.a + min(max(share, 0), 1)*(s.b-s.a)
}

// ticks are round values: powers of ten with 2 and 5 between, or 4 to 8 equal
// steps.
func (s scale) ticks() []float64 {
	var all []float64
	if s.log {
		steps := []float64{1}
		if math.Log10(s.to/s.from) < 3 {
			steps = []float64{1, 2, 5}
		}
		for e := math.Floor(math.Log10(s.from)); e <= math.Ceil(math.Log10(s.to)); e++ {
			for _, m := range steps {
				if v := m * math.Pow(10, e); v >= s.from*0.999 && v <= s.to*1.001 {
					all = append(all, v)
				}
			}
		}
		return all
	}
	step := math.Pow(10, math.Floor(math.Log10((s.to-s.from)/4)))
	for _, m := range []float64{5, 2} {
		if (s.to-s.from)/(m*step) >= 4 {
			step *= m
			break
		}
	}
	for n := math.Floor(s.from/step + 0.9999); n*step <= s.to*1.0001; n++ {
		all = append(all, n*step)
	}
	return all
}

// logScale covers the values in whole steps of 1, 2 and 5.
func logScale(low, high, a, b float64) scale {
	round := func(v float64, up bool) float64 {
		p := math.Pow(10, math.Floor(math.Log10(v)))
		steps := []float64{1, 2, 5, 10}
		if up {
			for _, m := range steps {
				if m*p >= v*0.9999 {
					return m * p
				}
			}
		}
		for i := len(steps) - 1; i >= 0; i-- {
			if steps[i]*p <= v*1.0001 {
				return steps[i] * p
			}
		}
		return p
	}
	from, to := round(low, false), round(high, true)
	if from == to {
		to *= 10
	}
	return scale{from: from, to: to, a: a, b: b, log: true}
}

// value is one bar.
type value struct {
	name      string
	v         float64
	low, high float64 // ends of the spread; both 0 without one
	class     string
	unit      string
}

func (v value) text() string { return strings.TrimSpace(bench.Figure(v.v) + " " + v.unit) }

const (
	letter    = 6.6 // width of a letter, at most on average
	barHeight = 22
	barStep   = 32
)

// bars draws horizontal bars, with a line at the target if there is one. The axis
// is logarithmic if the values span more than two decades, and says so.
func bars(id, title, axis string, values []value, target *float64) chart {
	c := chart{ID: id, Title: title, Width: width, Top: 14}
	names, figures := 0, 0
	for _, v := range values {
		names, figures = max(names, utf8.RuneCountInString(v.name)), max(figures, utf8.RuneCountInString(v.text()))
	}
	c.Left, c.Right = 16+letter*float64(names), width-12-letter*float64(figures)
	c.Bottom = c.Top + float64(len(values))*barStep
	c.Height = int(c.Bottom) + 48
	low, high := math.Inf(1), 0.0
	for _, v := range values {
		high = max(high, v.v, v.high)
		if v.v > 0 {
			low = min(low, v.v)
		}
	}
	if target != nil {
		high = max(high, *target)
	}
	if high == 0 {
		high = 1
	}
	s := scale{from: 0, to: high * 1.02, a: c.Left, b: c.Right}
	c.Axis = axis
	if low < high/100 {
		s = logScale(low/2, high, c.Left, c.Right)
		c.Axis += ", logarithmic"
	}
	for _, t := range s.ticks() {
		x := s.at(t)
		c.Ticks = append(c.Ticks, tick{x, c.Top, x, c.Bottom, x, c.Bottom + 16, "middle", bench.Figure(t)})
	}
	for i, v := range values {
		y := c.Top + float64(i)*barStep + (barStep-barHeight)/2
		b := bar{
			X: c.Left, Y: y, Width: max(s.at(v.v)-c.Left, 1), Height: barHeight, Class: v.class,
			Text: v.text(), TextY: y + barHeight/2 + 4, Middle: y + barHeight/2,
		}
		end := b.X + b.Width
		if v.high > v.low {
			b.Low, b.High = s.at(v.low), s.at(v.high)
			end = max(end, b.High)
		}
		b.TextX = end + 6
		c.Bars = append(c.Bars, b)
		c.Labels = append(c.Labels, label{c.Left - 8, y + barHeight/2 + 4, "end", "", v.name})
	}
	if target != nil {
		x := s.at(*target)
		c.Marks = append(c.Marks, mark{x, c.Top - 4, x, c.Bottom, x, c.Top - 5, "target " + bench.Figure(*target)})
		c.Top -= 4
	}
	return c
}

// line is one distribution.
type line struct {
	name, note, class, dash string
	x, y                    []float64
}

// nines is how many nines a percentile has: the position on the axis of a tail.
func nines(percentile float64) float64 { return -math.Log10(1 - min(percentile, 99.9999)/100) }

// tail draws latencies by percentile. Each step to the right is ten times rarer.
func tail(id, title, axis string, lines []line) chart {
	c := chart{ID: id, Title: title, Width: width, Left: 70, Top: 14, Right: width - 30, Bottom: 300, Axis: axis}
	key := c.Bottom + 34
	c.Height = int(key) + 20*len(lines) + 24
	low, high, most := math.Inf(1), 0.0, 0.0
	for _, l := range lines {
		for i := range l.x {
			low, high, most = min(low, l.y[i]), max(high, l.y[i]), max(most, nines(l.x[i]))
		}
	}
	ys := logScale(low, high, c.Bottom, c.Top)
	xs := scale{from: 0, to: most, a: c.Left, b: c.Right}
	for _, t := range ys.ticks() {
		y := ys.at(t)
		c.Ticks = append(c.Ticks, tick{c.Left, y, c.Right, y, c.Left - 6, y + 4, "end", bench.Figure(t)})
	}
	for _, p := range []float64{0, 50, 90, 99, 99.9, 99.99, 99.999} {
		if nines(p) > most+0.01 {
			break
		}
		x := xs.at(nines(p))
		c.Ticks = append(c.Ticks, tick{x, c.Top, x, c.Bottom, x, c.Bottom + 16, "middle", fmt.Sprintf("%g %%", p)})
	}
	for i, l := range lines {
		c.Curves = append(c.Curves, curve{l.class, path(l, xs, ys), l.dash})
		y := key + float64(i)*20
		c.Curves = append(c.Curves, curve{l.class, fmt.Sprintf("M%.1f %.1fh40", c.Left, y-4), l.dash})
		c.Labels = append(c.Labels, label{c.Left + 50, y, "start", "", l.name})
	}
	return c
}

func path(l line, xs, ys scale) string {
	var b strings.Builder
	for i := range l.x {
		command := "L"
		if i == 0 {
			command = "M"
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", command, xs.at(nines(l.x[i])), ys.at(l.y[i]))
	}
	return b.String()
}

// scatter draws the samples of several runs below one another, on equal axes, in
// the order in which they were taken.
func scatter(id, title, axis string, lines []line) chart {
	const panel, gap = 120, 34
	c := chart{ID: id, Title: title, Width: width, Left: 70, Top: 24, Right: width - 20, Axis: axis}
	c.Bottom = c.Top + float64(len(lines))*(panel+gap) - gap
	c.Height = int(c.Bottom) + 48
	high := 0.0
	for _, l := range lines {
		for _, v := range l.y {
			high = max(high, v)
		}
	}
	for i, l := range lines {
		top := c.Top + float64(i)*(panel+gap)
		ys := scale{from: 0, to: high * 1.02, a: top + panel, b: top}
		xs := scale{from: 0, to: float64(max(len(l.y), 2)), a: c.Left, b: c.Right}
		for _, t := range ys.ticks() {
			y := ys.at(t)
			c.Ticks = append(c.Ticks, tick{c.Left, y, c.Right, y, c.Left - 6, y + 4, "end", bench.Figure(t)})
		}
		var b strings.Builder
		for j, v := range l.y {
			fmt.Fprintf(&b, "M%.1f %.1fh0", xs.at(float64(j)), ys.at(v))
		}
		c.Clouds = append(c.Clouds, cloud{l.class, b.String()})
		c.Labels = append(c.Labels, label{c.Left, top - 8, "start", "strong", l.name}, label{c.Right, top - 8, "end", "", l.note})
	}
	return c
}
