// SPDX-License-Identifier: Apache-2.0

package bench

import "fmt"

// Conclusion is what a person may conclude from a record and its target: "met",
// "missed", the reason why neither can be concluded, or "" without a target.
//
// [Record.Verdict] only compares the two numbers. Conclusion concludes nothing
// if the machine was too noisy, or if the target lies within the range of the
// repeats ([Record.Range]).
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

// Range returns the 10th and the 90th percentile of the repeats of a ratio. ok
// is false if the record does not have them.
func (r Record) Range() (low, high float64, ok bool) {
	low, lowOK := r.Raw["ratio_p10"]
	high, highOK := r.Raw["ratio_p90"]
	return low, high, lowOK && highOK
}
