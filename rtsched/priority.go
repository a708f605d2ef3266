// SPDX-License-Identifier: Apache-2.0

package rtsched

import (
	"math"
	"time"
)

// Priority is the rate-monotonic one of a period among levels: 1 for the longest
// that a reservation can have, levels for the shortest. It is the same on every
// host, so periods that are close to one another share one.
func Priority(period time.Duration, levels int) int {
	period = min(max(period, MinPeriod), MaxPeriod)
	far := math.Log(float64(MaxPeriod)/float64(period)) / math.Log(float64(MaxPeriod)/float64(MinPeriod))
	return 1 + int(far*float64(levels-1))
}
