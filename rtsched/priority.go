// SPDX-License-Identifier: Apache-2.0

package rtsched

import (
	"math"
	"time"
)

// Priority is the rate-monotonic priority of a period: 1 for the longest period
// that a reservation can have, levels for the shortest. It depends on the
// period alone, so similar periods share a priority.
func Priority(period time.Duration, levels int) int {
	period = min(max(period, MinPeriod), MaxPeriod)
	far := math.Log(float64(MaxPeriod)/float64(period)) / math.Log(float64(MaxPeriod)/float64(MinPeriod))
	return 1 + int(far*float64(levels-1))
}
