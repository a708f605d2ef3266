// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Point is the latency measured at one load.
type Point struct {
	Load      float64 // share of the largest load, from 0 to 1
	Latency   float64 // ns, median of all measurements
	Low, High float64 // 10th and 90th percentile
}

// Curve is latency by load, from none to the largest.
type Curve []Point

// ErrFlat reports that the load does not change the latency.
var ErrFlat = errors.New("load does not change the latency of memory here")

// quarter is the part of the way from alone to saturated at which the threshold
// is, for a curve that rises evenly.
const quarter = 0.25

// Threshold chooses the latency above which memory is too slow: the latency at
// the knee, where the curve turns upwards most; without a knee, a quarter of
// the way from alone to saturated. It is always above nine of ten measurements
// without load. how says how it was found.
func (c Curve) Threshold() (ns float64, how string, err error) {
	c = slices.Clone(c)
	slices.SortFunc(c, func(a, b Point) int { return cmp.Compare(a.Load, b.Load) })
	if len(c) < 3 || c[0].Load != 0 {
		return 0, "", errors.New("a curve needs a point without load and two with load")
	}
	alone, most := c[0], slices.MaxFunc(c, func(a, b Point) int { return cmp.Compare(a.Latency, b.Latency) })
	rise := most.Latency - alone.Latency
	if most.Latency <= alone.High*1.02 || rise <= 0 {
		return 0, "", fmt.Errorf("%w: %.1f ns alone (9 of 10 measurements below %.1f), at most %.1f ns loaded: the loads are too small, or others use memory now", ErrFlat, alone.Latency, alone.High, most.Latency)
	}
	ns, how = alone.Latency+quarter*rise, "a quarter of the way from alone to saturated"
	deepest := 0.15 // of the rise: anything less is not a knee
	for _, p := range c {
		if p.Load >= most.Load {
			break
		}
		// The distance of the point below the straight line to the top.
		depth := p.Load/most.Load - (p.Latency-alone.Latency)/rise
		if depth > deepest && p.Latency > alone.Latency {
			deepest, ns, how = depth, p.Latency, fmt.Sprintf("the knee, at %.0f %% of the load", 100*p.Load)
		}
	}
	if least := alone.High * 1.02; ns < least {
		ns, how = least, "just above what is measured alone"
	}
	return ns, how, nil
}

// Print draws the curve and marks the threshold; 0: none.
func (c Curve) Print(w io.Writer, threshold float64) error {
	const width = 48
	top := threshold
	for _, p := range c {
		top = max(top, p.High)
	}
	column := func(ns float64) int { return min(int(ns/top*width), width-1) }
	if _, err := fmt.Fprintf(w, " load  latency   10 %%…90 %%      0 ns%*s\n", width-4, fmt.Sprintf("%.0f ns", top)); err != nil {
		return err
	}
	for _, p := range c {
		bar := []byte(strings.Repeat(" ", width))
		for i := column(p.Low); i <= column(p.High); i++ {
			bar[i] = '-'
		}
		if threshold > 0 {
			bar[column(threshold)] = '|'
		}
		bar[column(p.Latency)] = '*'
		if _, err := fmt.Fprintf(w, "%4.0f%%  %7.1f  %6.1f…%-6.1f  %s\n", 100*p.Load, p.Latency, p.Low, p.High, strings.TrimRight(string(bar), " ")); err != nil {
			return err
		}
	}
	return nil
}
