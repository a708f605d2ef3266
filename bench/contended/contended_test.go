// SPDX-License-Identifier: Apache-2.0

package contended

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/bench/mjump"
	"github.com/vlibos/vlibos/throttle/model"
)

var experiment = Experiment{Utilisations: []int{10}, Repeats: 3, Jobs: 2, Policy: "threshold", Service: 20 * time.Microsecond, Scale: 5}

func TestPeriodsAreThePapersTimesScale(t *testing.T) {
	task, other := experiment.Periods()
	if task != 500*time.Millisecond || other != 450*time.Millisecond || share(task, 10) != 50*time.Millisecond || share(other, 60) != 270*time.Millisecond {
		t.Errorf("periods %v and %v, budgets %v and %v", task, other, share(task, 10), share(other, 60))
	}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	if err := experiment.Check(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Experiment){
		"positive numbers":    func(e *Experiment) { e.Service = 0 },
		"utilisations":        func(e *Experiment) { e.Utilisations = nil },
		`"fair"`:              func(e *Experiment) { e.Policy = "fair" },
		"utilisation of 81 %": func(e *Experiment) { e.Utilisations = []int{81} },
	} {
		e := experiment
		change(&e)
		if err := e.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestForegroundLosesNoTimeToTheHost(t *testing.T) {
	m := measurement{
		work: mjump.Work{Writes: 1000, Used: 100 * time.Millisecond},
		mine: model.Counters{Requests: 2000, Occupancy: 50 * time.Millisecond, Late: 40 * time.Millisecond},
	}
	// Half of the turns were the task's, so half of the lateness was its, too.
	if got, want := m.perSecond(), 1000/0.08; math.Abs(got-want) > 1 {
		t.Errorf("%v a second, want %v", got, want)
	}
	if got := m.late(); got != 0.8 {
		t.Errorf("late %v", got)
	}
}

func samples(a, u, c []float64) Samples {
	s := Samples{"u10.alone": a, "u10.vlibos": u, "u10.called": c, "u10.master": u, "u10.master_controlled": c}
	for _, bar := range experiment.bars() {
		for _, figure := range allFigures {
			s["u10."+bar+figure] = []float64{2}
		}
	}
	return s
}

func TestRecordIsTheMedianOfWhatControlGivesBack(t *testing.T) {
	o := Options{Experiment: experiment}
	s := samples([]float64{10, 10, 10}, []float64{5, 6, 5}, []float64{9, 8, 10})
	s["u10.called"+batchRate] = []float64{1}
	s["u10.vlibos"+latencies] = []float64{4}
	s["u10.called"+latencies] = []float64{2.5}
	records, err := o.records(s, 0.5, "machine")
	if err != nil || len(records) != 1 {
		t.Fatalf("%v, %v", records, err)
	}
	r := records[0]
	if r.Name != "throttle.mjump.u10" || r.Value != 0.8 || r.Verdict() != "met" || r.Raw["batch_work"] != 0.5 || r.Raw["recovered_latency"] != 0.75 ||
		r.Raw["bus_service_ns"] != 20000 || r.Raw["recovered_in_master_p50"] != 0.8 || r.Raw["task_budget_ms"] != 50 {
		t.Errorf("record %+v", r)
	}
	// A repeat without contention is left out.
	s = samples([]float64{10, 6, 10}, []float64{5, 6, 5}, []float64{9, 8, 9})
	if records, err := o.records(s, 0, ""); err != nil || records[0].Value != 0.8 || records[0].Raw["repeats_with_contention"] != 2 {
		t.Errorf("%v, %v", records, err)
	}
	for want, s := range map[string]Samples{
		"no contention":      samples([]float64{10, 5, 4}, []float64{5, 6, 5}, []float64{9, 8, 10}),
		"0 figures alone":    samples(nil, nil, nil),
		"2 called":           samples([]float64{10, 10, 10}, []float64{5, 6, 5}, []float64{9, 8}),
		"no figure is named": {"u10.alone": {2}, "u10.vlibos": {1}, "u10.called": {2}, "u10.master": {1}, "u10.master_controlled": {1}},
	} {
		if _, err := o.records(s, 0, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// A quick run compares latencies, and needs no bars of the master.
func TestQuickRecordsCompareLatencies(t *testing.T) {
	o := Options{Experiment: experiment}
	o.Quick = true
	s := samples([]float64{10}, []float64{12}, []float64{9}) // no contention by the writes
	for name := range s {
		if strings.HasPrefix(name, "u10."+master) {
			delete(s, name)
		}
	}
	s["u10.vlibos"+latencies], s["u10.called"+latencies] = []float64{4}, []float64{2.5}
	records, err := o.records(s, 0.5, "machine")
	if err != nil || len(records) != 1 {
		t.Fatalf("%v, %v", records, err)
	}
	if r := records[0]; r.Name != "throttle.mjump_quick.u10" || r.Value != 0.75 || r.Target != nil || r.Raw["batch_work"] != 1 {
		t.Errorf("record %+v", r)
	}
	s["u10.vlibos"+latencies] = []float64{2}
	if _, err := o.records(s, 0, ""); err == nil || !strings.Contains(err.Error(), "no contention") {
		t.Error(err)
	}
}

// A run that fails half way has measured some bars once more than others. Its records say so,
// and nothing is concluded from them.
func TestCacheRecordsOfARunThatFailed(t *testing.T) {
	o := Options{Experiment: experiment}
	o.Fits = true
	s := Samples{"u10.alone": {10}, "u10.vlibos": {5}, "u10.apart": {10}, "u10.throttled": {7}}
	for _, bar := range o.bars() {
		for _, figure := range allFigures {
			s["u10."+bar+figure] = []float64{4, 4, 4}
		}
	}
	s["u10.apart"+batchRate] = []float64{3, 3, 3, 3}
	records, err := o.records(s, 0, "machine")
	if err != nil || len(records) != 2 {
		t.Fatalf("%v, %v", records, err)
	}
	for i, want := range []float64{1, 0.75} {
		if r := records[i]; r.Value != want || !strings.Contains(r.Conclusion(), "failed after 1 of 3 repeats") {
			t.Errorf("%s: %v, %s", r.Name, r.Value, r.Conclusion())
		}
	}
}

// What a measurement notes is what the records want.
func TestMeasurementHasAllFigures(t *testing.T) {
	m := measurement{work: mjump.Work{Writes: 1}, elapsed: time.Second}
	if got, want := slices.Sorted(maps.Keys(m.figures())), slices.Sorted(slices.Values(allFigures)); !slices.Equal(got, want) {
		t.Errorf("it notes %q, wanted are %q", got, want)
	}
}
