// SPDX-License-Identifier: Apache-2.0

package corunner

import "github.com/vlibos/vlibos/throttle"

// resumed is a policy that continues in the next block of its mode where it was.
type resumed struct {
	throttle.Policy
	note   map[string]float64 // raw numbers that record its parameters
	resume bool               // the next Reset is that of a new block
}

// Reset implements [throttle.Policy].
func (r *resumed) Reset() {
	if r.resume {
		r.resume = false
		return
	}
	r.Policy.Reset()
}
