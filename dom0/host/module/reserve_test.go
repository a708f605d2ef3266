// SPDX-License-Identifier: Apache-2.0

package module

import (
	"testing"
	"time"
)

func TestIdleTimeIsDividedIntoStops(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct{ period, idle, want time.Duration }{
		{10 * ms, 0, 1},
		{10 * ms, ms / 10, 1},
		{10 * ms, ms, 3},
		{10 * ms, 3 * ms, 10},
		{10 * ms, 10 * ms, 10},
		{100 * ms, 95 * ms, 100},
		{ms, ms, 1},
	} {
		if got := stops(c.period, c.idle); got != c.want {
			t.Errorf("%v of %v: %d stops, want %d", c.idle, c.period, got, c.want)
		}
	}
}
