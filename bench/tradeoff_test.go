// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"math"
	"testing"
)

func TestWorkIsInterpolatedBetweenPoints(t *testing.T) {
	points := []Tradeoff{{2, 0.6}, {1.2, 0.2}, {3, 1}, {1.2, 0.1}}
	for slowdown, want := range map[float64]float64{1: 0, 1.2: 0.2, 1.6: 0.4, 2: 0.6, 2.5: 0.8, 3: 1, 4: 1} {
		if got := WorkAt(points, slowdown); math.Abs(got-want) > 1e-9 {
			t.Errorf("at %v %v, want %v", slowdown, got, want)
		}
	}
	if got := WorkAt(nil, 1); got != 0 {
		t.Errorf("without points %v", got)
	}
}
