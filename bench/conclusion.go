// SPDX-License-Identifier: Apache-2.0

package bench

import "fmt"

// Conclusion is what a person may conclude from a record and its target: "met",
// "missed", the reason why neither can be concluded, or "" without a target.
//
// [Record.Verdict] only compares the two numbers. Conclusion concludes nothing
// if the machine was too noisy, if the experiment failed half way, or if the target
// lies within the interval of the median ([Record.Range]).
func (r Record) Conclusion() string {
	if r.Target == nil {
		return ""
	}
	if why := r.Noisy(); why != "" {
		return "no conclusion, the machine was too noisy: " + why
	}
	if why := r.Partial(); why != "" {
		return "no conclusion, " + why
	}
	low, high, ok := r.Range()
	if ok && low <= *r.Target && *r.Target < high {
		return fmt.Sprintf("no conclusion, the target lies in the median's interval: %s to %s", Figure(low), Figure(high))
	}
	return r.Verdict()
}

// Range returns the interval of a ratio's median over the repeats ([Bootstrap]). ok is
// false if the record does not have it.
func (r Record) Range() (low, high float64, ok bool) {
	low, lowOK := r.Raw["ratio_low"]
	high, highOK := r.Raw["ratio_high"]
	return low, high, lowOK && highOK
}
