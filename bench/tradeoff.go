// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"cmp"
	"slices"
)

// Tradeoff is a result of throttling a job: the slowdown of the protected
// program, relative to it alone, and the part of the job's work that was done.
type Tradeoff struct{ Slowdown, Work float64 }

// WorkAt returns how much work is done at a slowdown, interpolated linearly
// between the points. It is 0 below the smallest slowdown; above the greatest it
// is the work there.
func WorkAt(points []Tradeoff, slowdown float64) float64 {
	points = slices.Clone(points)
	slices.SortFunc(points, func(a, b Tradeoff) int {
		return cmp.Or(cmp.Compare(a.Slowdown, b.Slowdown), cmp.Compare(a.Work, b.Work))
	})
	if len(points) == 0 || slowdown < points[0].Slowdown {
		return 0
	}
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		if slowdown < b.Slowdown {
			return a.Work + (b.Work-a.Work)*(slowdown-a.Slowdown)/(b.Slowdown-a.Slowdown)
		}
	}
	return points[len(points)-1].Work
}
