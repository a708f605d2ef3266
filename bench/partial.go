// SPDX-License-Identifier: Apache-2.0

package bench

import "fmt"

// The names of a record's repeats in its Raw: measured, and missing because the
// experiment failed.
const (
	rawRepeats = "repeats"
	rawMissing = "repeats_missing"
)

// Repeated notes how many repeats the record has, and how many it should have.
func (r *Record) Repeated(done, want int) {
	r.Raw[rawRepeats] = float64(done)
	if done < want {
		r.Raw[rawMissing] = float64(want - done)
	}
}

// Partial says which part of the record's repeats was measured before its
// experiment failed. It is "" if all were.
func (r Record) Partial() string {
	missing := r.Raw[rawMissing]
	if missing <= 0 {
		return ""
	}
	return fmt.Sprintf("the experiment failed after %.0f of %.0f repeats", r.Raw[rawRepeats], r.Raw[rawRepeats]+missing)
}
