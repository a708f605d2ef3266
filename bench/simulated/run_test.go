// SPDX-License-Identifier: Apache-2.0

package simulated

import (
	"maps"
	"slices"
	"testing"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/corunner"
)

func run(t *testing.T, rounds, rate int) map[string]bench.Record {
	t.Helper()
	o := Defaults
	o.Rounds, o.Rate, o.Progress = rounds, rate, func(string) {}
	all, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	records := make(map[string]bench.Record)
	for _, r := range all {
		records[r.Name] = r
	}
	if len(records) != len(jobs)*len(modes) {
		t.Errorf("%d records, want %d", len(records), len(jobs)*len(modes))
	}
	return records
}

func TestControlCostsTheTailNothing(t *testing.T) {
	records := run(t, 3, Defaults.Rate)
	for _, j := range jobs {
		of := func(mode string) bench.Record { return records["simulated."+j.name+"."+mode] }
		free, _ := of(corunner.Uncontrolled).Ratio("p99")
		if free.Low < 1.05 {
			t.Errorf("beside %s: the 99th percentile is %+v times that alone: there is nothing to control", j.name, free)
		}
		for _, m := range modes[2:] {
			r := of(m.name)
			control, ok := r.Ratio(corunner.Instead + "p99")
			if !ok || control.Value > 1.01 {
				t.Errorf("%s: the 99th percentile is %+v times that without control", r.Name, control)
			}
			if work := r.Raw["work_percent"]; work <= 0 || work > 100.5 {
				t.Errorf("%s: keeps %v %% of the work", r.Name, work)
			}
			if n := r.Raw["throttle_unhealthy"]; n != 0 {
				t.Errorf("%s: %v decisions without a usable latency", r.Name, n)
			}
		}
		if work := of("capped").Raw["work_percent"]; work < 29 || work > 31.5 {
			t.Errorf("beside %s: a cap of 30 %% keeps %v %% of the work", j.name, work)
		}
	}
	// A job that is stopped in one piece runs in one piece, and all requests of that time
	// suffer: the tail is that of the length of the piece.
	long, _ := records["simulated.mjump.rate"].Ratio("p99")
	short, _ := records["simulated.mjump.rate1ms"].Ratio("p99")
	if short.High > long.Low {
		t.Errorf("by rate: stopped each 10 ms %+v times alone, each 1 ms %+v", long, short)
	}
}

func TestSeedDeterminesAllFigures(t *testing.T) {
	first, second := run(t, 1, 1000), run(t, 1, 1000)
	for name, r := range first {
		delete(r.Raw, "rounds_took_s")
		delete(second[name].Raw, "rounds_took_s")
		if !maps.Equal(r.Raw, second[name].Raw) {
			t.Errorf("%s: %v and %v", name, r.Raw, second[name].Raw)
		}
	}
}

func TestWrongOptionsAreRefused(t *testing.T) {
	for _, o := range []Options{{Rounds: 0, Rate: 5000}, {Rounds: 1, Rate: 999}, {Rounds: 1, Rate: 15001}} {
		if _, err := Run(t.Context(), o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestTwentiethsAreMediansOfEqualParts(t *testing.T) {
	var all []uint64
	for i := range uint64(201) {
		all = append(all, 10*(200-i))
	}
	if got := Twentieths(all); len(got) != 20 || got[0] != 50 || got[19] != 1950 || !slices.IsSorted(got) {
		t.Error(got)
	}
}
