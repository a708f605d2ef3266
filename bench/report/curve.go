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
func xy(id, title, axis string, lines []line, target float64) drawing {
	lowest, most, right := 1.0, target, 100.0
	for _, l := range lines {
		for i := range l.x {
			lowest, most, right = min(lowest, l.y[i]), max(most, l.y[i]), max(right, l.x[i])
		}
	}
	return drawing{ID: id, Title: title, Axis: axis, at: func(width float64) chart {
		c := chart{left: 46, top: 16, right: width - 24, bottom: 276}
		ys := scale{from: math.Floor(10*lowest) / 10, to: most * 1.02, a: c.bottom, b: c.top}
		xs := scale{to: right, a: c.left, b: c.right}
		c.up(ys, ratio)
		c.across(xs, xs.ticks((c.right-c.left)/least), func(v float64) string { return bench.Figure(v) + " %" })
		for i, l := range lines {
			var path, dots strings.Builder
			for j := range l.x {
				x, y := xs.at(l.x[j]), ys.at(l.y[j])
				fmt.Fprintf(&path, "%s%.1f %.1f", []string{"M", "L"}[min(j, 1)], x, y)
				fmt.Fprintf(&dots, "M%.1f %.1fh0", x, y)
			}
			c.Curves = append(c.Curves, curve{l.class, path.String(), l.dash})
			c.Clouds = append(c.Clouds, cloud{l.class + " large", dots.String()})
			c.key(i, l)
		}
		y := ys.at(target)
		c.Marks = append(c.Marks, mark{c.left, y, c.right, y, c.right, y - 4, "end", "target " + human(target, ratio)})
		return c
	}}
}
