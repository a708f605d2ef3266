// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"cmp"
	"slices"
)

// part is a share of a cache, and the destination of its mask.
type part struct {
	percent int
	masks   []*uint64
}

// place gives every part a mask, from bit 0 upwards: on many processors devices
// use the highest bits. It reports whether masks overlap.
func place(parts []part, w Ways) (overlap bool) {
	sizes, apart := sizesApart(parts, w)
	if !apart {
		sizes = sizesOverlapping(parts, w)
	}
	at := 0
	for i, p := range parts {
		// A part that does not fit above the last one ends at the cache's end,
		// and the next one begins at the bottom again.
		at = min(at, w.Bits-sizes[i])
		for _, m := range p.masks {
			*m = (^uint64(0) >> (64 - sizes[i])) << at
		}
		if at += sizes[i]; at == w.Bits {
			at = 0
		}
	}
	return !apart
}

// sizesApart distributes bits by the largest remainder. It returns false if
// there are not enough.
func sizesApart(parts []part, w Ways) ([]int, bool) {
	percent, used := 0, 0
	sizes := make([]int, len(parts))
	order := make([]int, 0, len(parts)) // those that were rounded down
	for i, p := range parts {
		sizes[i] = p.percent * w.Bits / 100
		if sizes[i] < w.Least {
			sizes[i] = w.Least
		} else {
			order = append(order, i)
		}
		used += sizes[i]
		percent += p.percent
	}
	if percent > 100 || used > w.Bits {
		return nil, false
	}
	remainder := func(i int) int { return parts[i].percent * w.Bits % 100 }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(remainder(b), remainder(a)) })
	for _, i := range order {
		if used >= percent*w.Bits/100 {
			break
		}
		sizes[i]++
		used++
	}
	return sizes, true
}

// sizesOverlapping rounds each part on its own.
func sizesOverlapping(parts []part, w Ways) []int {
	sizes := make([]int, len(parts))
	for i, p := range parts {
		sizes[i] = min(w.Bits, max(w.Least, (p.percent*w.Bits+50)/100))
	}
	return sizes
}
