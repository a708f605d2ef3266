// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/corunner"
)

// Each doubt about a figure is in its one box, once.
func TestAFigureHasOneBoxOfDoubts(t *testing.T) {
	noisy := bench.Noise{Compute: 50}
	record := func(name string) bench.Record {
		return bench.Record{Name: name, Value: 1, Unit: ratio, Better: bench.Lower, Target: bench.Goal(1.05), Raw: map[string]float64{}}
	}
	open, partial := record("call.native.block"), record("call.native.rpc")
	open.Raw["ratio_low"], open.Raw["ratio_high"] = 0.9, 1.2
	partial.Repeated(3, 10)
	all := []bench.Record{noisy.Note(record("call.native.spin")), noisy.Note(record("call.native.socket")), open, partial, record("call.native.batch")}
	page := pageOf(t, all)
	if n := strings.Count(page, `<div class="doubt">`); n != 1 {
		t.Errorf("%d boxes", n)
	}
	for text, n := range map[string]int{
		"the same arithmetic took times 50 % apart":                       1,
		"call.native.block: the target lies in the median&#39;s interval": 1,
		"the experiment failed after 3 of 10 repeats":                     1,
		`<tr class="faint">`: 4,
		">met<":              1,
		"It takes":           0, // of the time of net/rpc: its experiment failed
	} {
		if got := strings.Count(page, text); got != n {
			t.Errorf("%q is in the page %d times, want %d", text, got, n)
		}
	}
}

// The page names Xen where records are of Xen, and native where they are native.
func TestPageNamesOnlyWhatRan(t *testing.T) {
	here, lab := complete(), complete()
	here = slices.DeleteFunc(here, onXen)
	lab = slices.DeleteFunc(lab, func(r bench.Record) bool { return !onXen(r) })
	if page := pageOf(t, here); strings.Contains(page, "Xen") || !strings.Contains(page, "call.native.block") {
		t.Errorf("Xen is named in a page without it: %.300s", page[strings.Index(page, "Xen"):])
	}
	if page := pageOf(t, lab); strings.Contains(page, "native") || strings.Contains(page, "this machine") || !strings.Contains(page, "Xen") {
		t.Error("native is named in a page of the lab alone")
	}
}

func TestSummaryHasFiveLines(t *testing.T) {
	facts := brief(complete())
	if len(facts) != 5 || slices.ContainsFunc(facts, func(f fact) bool { return f.Faint || f.Text == "" }) {
		t.Errorf("%+v", facts)
	}
	all := complete()
	for i, r := range all {
		if strings.HasPrefix(r.Name, "call.") {
			all[i] = bench.Noise{Compute: 50}.Note(r)
		}
	}
	all = slices.DeleteFunc(all, func(r bench.Record) bool { return strings.HasPrefix(r.Name, "throttle") })
	facts = brief(all)
	if !facts[0].Faint || !strings.Contains(facts[0].Text, "nothing can be concluded") || !strings.Contains(facts[3].Text, "Not measured: vlibbench throttle") {
		t.Errorf("%+v", facts)
	}
	if last := facts[4].Text; !strings.HasPrefix(last, "10 of ") || !strings.Contains(last, "What a call costs") || !strings.Contains(last, "Not measured: throttle.") {
		t.Error(last)
	}
}

func TestNumbersAreSaidAsPeopleSayThem(t *testing.T) {
	for _, c := range []struct {
		v    float64
		unit string
		want string
	}{
		{1e6, "µs", "1 s"}, {250_000, "µs", "250 ms"}, {3.2, "µs", "3.2 µs"}, {3200, "ns", "3.2 µs"}, {0.25, "ns", "0.25 ns"}, {0, "ns", "0"},
		{999.6, "µs", "1 ms"}, {90, "s", "90 s"}, {66_000, "instructions", "66k instructions"}, {2.1e6, "", "2.1M"}, {999, "", "999"},
		{-1500, "", "-1.5k"}, {0.5, "of the slowdown", "50 % of the slowdown"}, {1.13, ratio, "1.13×"}, {12.5, "%", "12.5 %"}, {0, "wake-ups/call", "0 wake-ups/call"},
	} {
		if got := human(c.v, c.unit); got != c.want {
			t.Errorf("%v %s: %q, want %q", c.v, c.unit, got, c.want)
		}
	}
}

// A ratio whose interval contains 1 concludes nothing, says what it needs, and does not
// fade the chart that shows its interval.
func TestIntervalThatContainsOneConcludesNothing(t *testing.T) {
	all := slices.DeleteFunc(complete(), func(r bench.Record) bool { return !strings.HasPrefix(r.Name, "lidar.") })
	for _, r := range all {
		if r.Name == "lidar.capped" {
			r.Raw["p99_ratio"], r.Raw["p99_ratio_low"], r.Raw["p99_ratio_high"] = 1.1, 0.9, 1.3
		}
		if r.Name == "lidar.rate" {
			r.Raw["p99_ratio"], r.Raw["p99_ratio_low"], r.Raw["p99_ratio_high"] = 1, 0.98, 1.03
		}
	}
	page := pageOf(t, all)
	for text, n := range map[string]int{
		`<div class="doubt">`:    1,
		`<figure class="faint">`: 0,
		`<tr class="faint">`:     1,
		">no conclusion<":        1,
		">the same within 5 %<":  2, // rate, and uncontrolled
		">longer<":               4,
		"lidar.capped: the 99th percentile is 1.1 (0.9 to 1.3) times that alone, which does not exclude 1; about 34 minutes more are needed": 1,
		"the 99th percentile is 1 (0.98 to 1.03) times that alone: the same within 5 %":                                                      1,
	} {
		if got := strings.Count(page, text); got != n {
			t.Errorf("%q is in the page %d times, want %d", text, got, n)
		}
	}
}

// Where the 99th percentile concludes nothing, the summary has the median.
func TestSummaryHasTheMedianWhereTheTailIsOpen(t *testing.T) {
	r := index(complete())
	free, feedback := r.byName["lidar.uncontrolled"], r.byName["lidar.feedback"]
	set := func(one bench.Record, name string, value, low, high float64) {
		one.Raw[name+"_ratio"], one.Raw[name+"_ratio_low"], one.Raw[name+"_ratio_high"] = value, low, high
	}
	set(free, "p99", 2, 0.5, 8)
	set(free, "p50", 1.5, 1.4, 1.6)
	set(feedback, corunner.Instead+"p50", 0.7, 0.6, 0.8)
	set(feedback, "p50", 1.05, 1, 1.1)
	const want = "a typical decision takes 1.5 (1.4 to 1.6) times as long as alone; 1.05 (1 to 1.1) times with the job on another CPU, throttled by feedback"
	if got := neighbour(r, "lidar.", "decision"); len(got) != 1 || got[0] != want {
		t.Errorf("%q, want %q", got, want)
	}
	set(free, "p50", 1.5, 0.9, 2)
	if got := neighbour(r, "lidar.", "decision"); len(got) != 1 || !strings.Contains(got[0], "could not be told") {
		t.Errorf("%q", got)
	}
	if got := neighbour(r, "tail.nothing.", "request"); got != nil {
		t.Errorf("%q", got)
	}
}
