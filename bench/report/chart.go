// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"unicode/utf8"
)

// drawing is a chart that can be drawn at any width.
type drawing struct {
	ID, Title string
	// Axis says what the ticks mean.
	Axis string
	// Faint says that nothing is concluded from it.
	Faint bool
	at    func(width float64) chart
}

// The two widths at which the page has each drawing; the browser shows one. In both
// a unit of the SVG is about a pixel, so that text has its size.
const (
	wide   = 760
	narrow = 340
)

// Sizes returns the drawing at both widths.
func (d drawing) Sizes() []chart {
	var all []chart
	for _, size := range []struct {
		name  string
		width float64
	}{{"wide", wide}, {"narrow", narrow}} {
		c := d.at(size.width)
		c.ID, c.Title, c.Size, c.Width = d.ID, d.Title, size.name, size.width
		all = append(all, c)
	}
	return all
}

func (d drawing) equal(other drawing) bool {
	return other.at != nil && reflect.DeepEqual(d.Sizes(), other.Sizes())
}

// chart is a drawing at one width, for the template. All positions are in units of
// the SVG.
type chart struct {
	ID, Title, Size string
	Width, Height   float64
	Ticks           []tick
	Bars            []bar
	Curves          []curve
	Clouds          []cloud
	Marks           []mark
	Labels          []label
	// The area of the data.
	left, top, right, bottom float64
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
		Anchor, Text                 string
	}
	label struct {
		X, Y                float64
		Anchor, Class, Text string
	}
)

const (
	letter    = 6.6 // width of a letter, at most on average
	row       = 20  // height of a line of text
	barHeight = 22
	barStep   = 32
	least     = 64 // distance of ticks along the x axis
	leastUp   = 28 // the same along the y axis
)

func length(text string) float64 { return letter * float64(utf8.RuneCountInString(text)) }

// across draws ticks of the x axis. Those without room for their text are left out.
func (c *chart) across(s scale, values []float64, text func(float64) string) {
	free := math.Inf(-1)
	for _, v := range values {
		x, t := s.at(v), text(v)
		if x-length(t)/2 < free+8 { // signs of per cent are wide
			continue
		}
		free = x + length(t)/2
		c.Ticks = append(c.Ticks, tick{x, c.top, x, c.bottom, x, c.bottom + 18, "middle", t})
	}
}

// up draws ticks of the y axis.
func (c *chart) up(s scale, unit string) {
	for _, t := range s.ticks((s.a - s.b) / leastUp) {
		y := s.at(t)
		c.Ticks = append(c.Ticks, tick{c.left, y, c.right, y, c.left - 6, y + 4, "end", human(t, unit)})
	}
}

// key explains the i-th line.
func (c *chart) key(i int, l line) {
	const swatch = 28
	y := c.bottom + 44 + float64(i)*row
	c.Curves = append(c.Curves, curve{l.class, fmt.Sprintf("M4 %.1fh%d", y-4, swatch), l.dash})
	c.Labels = append(c.Labels, label{swatch + 12, y, "start", "", l.name})
	c.Height = y + 10
}

// value is one bar.
type value struct {
	name      string
	v         float64
	low, high float64 // ends of the spread; both 0 without one
	class     string
	unit      string
}

func (v value) text() string { return human(v.v, v.unit) }

// bars draws horizontal bars, with a line at the target if there is one. The axis
// is logarithmic if the values span more than two decades, and says so. All values
// have the same unit.
func bars(id, title, axis string, values []value, target *float64) drawing {
	names, figures := 0.0, 0.0
	low, high := math.Inf(1), 0.0
	for _, v := range values {
		names, figures = max(names, length(v.name)), max(figures, length(v.text()))
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
	s := scale{from: 0, to: high * 1.02}
	if low < high/100 {
		s = logScale(low/2, high)
		axis += ", logarithmic"
	}
	return drawing{ID: id, Title: title, Axis: axis, at: func(width float64) chart {
		c := chart{left: 16 + names, top: 6, right: width - 12 - figures}
		above := 0.0 // of the bar, where there is no room for names beside it
		if c.left > width/2 {
			c.left, above = 14, row
		}
		if target != nil {
			c.top += row
		}
		c.bottom = c.top + float64(len(values))*(barStep+above)
		c.Height = c.bottom + 28
		s := s.over(c.left, c.right)
		c.across(s, s.ticks((c.right-c.left)/least), func(v float64) string { return human(v, values[0].unit) })
		for i, v := range values {
			y := c.top + float64(i)*(barStep+above) + above + (barStep-barHeight)/2
			middle := y + barHeight/2
			b := bar{
				X: c.left, Y: y, Width: max(s.at(v.v)-c.left, 1), Height: barHeight, Class: v.class,
				Text: v.text(), TextY: middle + 4, Middle: middle,
			}
			end := b.X + b.Width
			if v.high > v.low {
				b.Low, b.High = s.at(v.low), s.at(v.high)
				end = max(end, b.High)
			}
			b.TextX = end + 6
			c.Bars = append(c.Bars, b)
			if above > 0 {
				c.Labels = append(c.Labels, label{4, y - 5, "start", "", v.name})
			} else {
				c.Labels = append(c.Labels, label{c.left - 8, middle + 4, "end", "", v.name})
			}
		}
		if target != nil {
			x, anchor := s.at(*target), "middle"
			if x > width-length("target 000")/2 {
				anchor = "end"
			}
			c.Marks = append(c.Marks, mark{x, c.top - 4, x, c.bottom, x, c.top - 8, anchor, "target " + human(*target, values[0].unit)})
		}
		return c
	}}
}

// line is one distribution.
type line struct {
	name, note, class, dash string
	x, y                    []float64
}

// nines is how many nines a percentile has: the position on the axis of a tail.
func nines(percentile float64) float64 { return -math.Log10(1 - min(percentile, 99.9999)/100) }

// tail draws latencies in µs by percentile. Each step to the right is ten times rarer.
func tail(id, title, axis string, lines []line) drawing {
	low, high, most := math.Inf(1), 0.0, 0.0
	for _, l := range lines {
		for i := range l.x {
			low, high, most = min(low, l.y[i]), max(high, l.y[i]), max(most, nines(l.x[i]))
		}
	}
	var marked []float64
	for _, p := range []float64{0, 50, 90, 99, 99.9, 99.99, 99.999} {
		if nines(p) <= most+0.01 {
			marked = append(marked, nines(p))
		}
	}
	return drawing{ID: id, Title: title, Axis: axis, at: func(width float64) chart {
		c := chart{left: 58, top: 10, right: width - 30, bottom: 296}
		ys, xs := logScale(low, high).over(c.bottom, c.top), scale{to: most, a: c.left, b: c.right}
		c.up(ys, "µs")
		c.across(xs, marked, func(n float64) string { return fmt.Sprintf("%.6g %%", 100-100*math.Pow(10, -n)) })
		for i, l := range lines {
			c.Curves = append(c.Curves, curve{l.class, path(l, xs, ys), l.dash})
			c.key(i, l)
		}
		return c
	}}
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

// scatter draws the samples of several runs, in µs, below one another, on equal
// axes, in the order in which they were taken.
func scatter(id, title, axis string, lines []line) drawing {
	high, names := 0.0, 0.0
	for _, l := range lines {
		names = max(names, length(l.name+l.note))
		for _, v := range l.y {
			high = max(high, v)
		}
	}
	return drawing{ID: id, Title: title, Axis: axis, at: func(width float64) chart {
		c := chart{left: 58, right: width - 10}
		const panel = 120
		head, under := 24.0, 0.0
		if names > width { // the note is below the name
			head, under = head+row, row
		}
		for _, l := range lines {
			c.top = c.Height + head
			c.bottom = c.top + panel
			c.Height = c.bottom + 10
			ys := scale{to: high * 1.02, a: c.bottom, b: c.top}
			xs := scale{to: float64(max(len(l.y), 2)), a: c.left, b: c.right}
			c.up(ys, "µs")
			var b strings.Builder
			for j, v := range l.y {
				fmt.Fprintf(&b, "M%.1f %.1fh0", xs.at(float64(j)), ys.at(v))
			}
			c.Clouds = append(c.Clouds, cloud{l.class, b.String()})
			c.Labels = append(c.Labels, label{4, c.top - 8 - under, "start", "strong", l.name}, label{c.right, c.top - 8, "end", "", l.note})
		}
		return c
	}}
}
