// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"strings"
	"testing"
)

func TestServiceRecordsAreRatiosToTheServiceAlone(t *testing.T) {
	s := Samples{
		sampleServed + alone:      {100, 200, 300, 400, 10_000, 0, 0},
		sampleServed + uncapped:   {1000, 5000, 9000, 9500, 10_000, 7, 99},
		sampleServed + "reserved": {110, 300, 500, 600, 10_000, 0, 94},
	}
	records, err := serviceRecords(schedVlib, s, "a machine")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"service.lab.vlib.alone": 200, "service.lab.vlib.uncapped": 25, "service.lab.vlib.reserved": 1.5}
	for _, r := range records {
		if r.Value != want[r.Name] || r.Machine != "a machine" {
			t.Errorf("%+v, want %v", r, want[r.Name])
		}
		delete(want, r.Name)
	}
	if len(want) != 0 {
		t.Errorf("no %v", want)
	}
	if raw := records[1].Raw; raw["p999_us"] != 9000 || raw["unanswered"] != 7 || raw["neighbours_cpu_percent"] != 99 {
		t.Errorf("%v", raw)
	}
	delete(s, sampleServed+uncapped)
	if _, err := serviceRecords(schedVlib, s, ""); err == nil || !strings.Contains(err.Error(), uncapped) {
		t.Errorf("a setting without samples: %v", err)
	}
}
