// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"cmp"
	"slices"
)

// Kept is what holding somebody's work back comes to: how much slower somebody
// else is than alone, and which part of the work is kept.
type Kept struct{ Slowdown, Work float64 }

// KeptAt is how much work is kept at a slowdown, on the straight lines between
// points: 0 below the smallest of them, and beyond the greatest as much as
// there.
func KeptAt(points []Kept, slowdown float64) float64 {
	points = slices.Clone(points)
	slices.SortFunc(points, func(a, b Kept) int { return cmp.Or(cmp.Compare(a.Slowdown, b.Slowdown), cmp.Compare(a.Work, b.Work)) })
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
