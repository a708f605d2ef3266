// SPDX-License-Identifier: Apache-2.0

package bench

import "fmt"

// Conclusion is what may be said of a record against its target, for a person:
// "met", "missed", why neither can be said, or "" without a target.
//
// It differs from [Record.Verdict], which only compares two numbers: nothing
// is concluded from a machine that was too noisy, nor where the repeats of the
// measurement fall on both sides of the target.
func (r Record) Conclusion() string {
	if r.Target == nil {
		return ""
	}
	if why := r.Noisy(); why != "" {
		return "no conclusion, the machine was too noisy: " + why
	}
	low, high, ok := r.Range()
	if ok && low <= *r.Target && *r.Target < high {
		return fmt.Sprintf("no conclusion, the repeats lie on both sides of the target: %s to %s", Figure(low), Figure(high))
	}
	return r.Verdict()
}

// Range is where four of five repeats of a ratio lie, if the record has them.
func (r Record) Range() (low, high float64, ok bool) {
	low, lowOK := r.Raw["ratio_p10"]
	high, highOK := r.Raw["ratio_p90"]
	return low, high, lowOK && highOK
}
