// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/vlibos/vlibos/bench"
)

type point struct{ x, y float64 }

// plot makes a line of points.
func plot(name, class, dash string, points []point) line {
	l := line{name: name, class: class, dash: dash}
	for _, p := range points {
		l.x, l.y = append(l.x, p.x), append(l.y, p.y)
	}
	return l
}

// xy draws lines through points. x is a share in per cent, y a ratio whose best
// value is 1; a line marks the target.
func xy(id, title, axis string, lines []line, target float64) chart {
	c := chart{ID: id, Title: title, Width: width, Left: 50, Top: 20, Right: width - 30, Bottom: 280, Axis: axis}
	key := c.Bottom + 34
	c.Height = int(key) + 20*len(lines) + 24
	least, most, right := 1.0, target, 100.0
	for _, l := range lines {
		for i := range l.x {
			least, most, right = min(least, l.y[i]), max(most, l.y[i]), max(right, l.x[i])
		}
	}
	ys := scale{from: math.Floor(10*least) / 10, to: most * 1.02, a: c.Bottom, b: c.Top}
	xs := scale{from: 0, to: right, a: c.Left, b: c.Right}
	for _, t := range ys.ticks() {
		y := ys.at(t)
		c.Ticks = append(c.Ticks, tick{c.Left, y, c.Right, y, c.Left - 6, y + 4, "end", bench.Figure(t)})
	}
	for _, t := range xs.ticks() {
		x := xs.at(t)
		c.Ticks = append(c.Ticks, tick{x, c.Top, x, c.Bottom, x, c.Bottom + 16, "middle", bench.Figure(t) + " %"})
	}
	for i, l := range lines {
		var path, dots strings.Builder
		for j := range l.x {
			x, y := xs.at(l.x[j]), ys.at(l.y[j])
			fmt.Fprintf(&path, "%s%.1f %.1f", []string{"M", "L"}[min(j, 1)], x, y)
			fmt.Fprintf(&dots, "M%.1f %.1fh0", x, y)
		}
		c.Curves = append(c.Curves, curve{l.class, path.String(), l.dash})
		c.Clouds = append(c.Clouds, cloud{l.class + " large", dots.String()})
		y := key + float64(i)*20
		c.Curves = append(c.Curves, curve{l.class, fmt.Sprintf("M%.1f %.1fh40", c.Left, y-4), l.dash})
		c.Labels = append(c.Labels, label{c.Left + 50, y, "start", "", l.name})
	}
	y := ys.at(target)
	c.Marks = append(c.Marks, mark{c.Left, y, c.Right, y, c.Right - 30, y - 4, "target " + bench.Figure(target)})
	return c
}
