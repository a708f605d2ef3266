// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"math"
	"testing"

	"github.com/vlibos/vlibos/bench"
)

// result has the settings alone, none, one of feedback and two of rate, which do
// a fifth and three fifths of the work.
func result(none, ours float64) *Result {
	round := []Figures{{100, 200, 0}, {100 * none, 4000, 1e6}, {100 * ours, 300, 0.5e6}, {120, 300, 0.2e6}, {200, 900, 0.6e6}}
	return &Result{
		settings: []setting{{name: "alone"}, {name: "none"}, {name: "ours", policy: "feedback"}, {name: "rate-a", policy: "rate"}, {name: "rate-b", policy: "rate"}},
		rounds:   [][]Figures{round, round, round},
	}
}

func find(t *testing.T, all []bench.Record, name string) bench.Record {
	t.Helper()
	for _, r := range all {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("no record %s", name)
	return bench.Record{}
}

func TestRecordsCompareThePoliciesAtOneSlowdown(t *testing.T) {
	all := result(3, 1.25).Records("")
	if r := find(t, all, "throttle.none"); r.Value != 3 || r.Raw["p99_ratio"] != 20 {
		t.Errorf("%+v", r)
	}
	if r := find(t, all, "throttle.work.feedback"); r.Value != 0.5 || r.Verdict() != "met" {
		t.Errorf("%+v", r)
	}
	// At 1.25, rate does 0.2 and a sixteenth of the difference to 0.6.
	if r := find(t, all, "throttle.over_rate"); math.Abs(r.Value-0.5/0.225) > 1e-9 {
		t.Errorf("%+v", r)
	}
	if r := find(t, result(3, 1.4).Records(""), "throttle.work.feedback"); r.Value != 0 {
		t.Errorf("a setting that is too slow counts: %+v", r)
	}
	// Without contention there is nothing to compare.
	if n := len(result(1.05, 1).Records("")); n != 4 {
		t.Errorf("%d records", n)
	}
}
