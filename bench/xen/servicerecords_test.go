// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"strings"
	"testing"
	"time"
)

func TestServiceRecordsAreRatiosToTheServiceAlone(t *testing.T) {
	s := Samples{
		sampleServed + alone:      {100, 200, 300, 400, 10_000, 0, 0},
		sampleServed + uncapped:   {1000, 5000, 9000, 9500, 10_000, 7, 99},
		sampleServed + "reserved": {110, 300, 500, 600, 10_000, 0, 94},
	}
	records, err := serviceRecords(schedVlib, ServiceSize{VCPUs: 1, Rate: 1000}, s, "a machine")
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
	if of, err := serviceRecords(schedVlib, ServiceSize{VCPUs: 4}, s, ""); err != nil || of[2].Name != "service.lab4.vlib.reserved" || of[2].Raw["vcpus"] != 4 {
		t.Errorf("of four vCPUs: %+v, %v", of, err)
	}
	delete(s, sampleServed+uncapped)
	if _, err := serviceRecords(schedVlib, ServiceSize{VCPUs: 1}, s, ""); err == nil || !strings.Contains(err.Error(), uncapped) {
		t.Errorf("a setting without samples: %v", err)
	}
}

func TestServiceSizeIsPassedOn(t *testing.T) {
	s := ServiceSize{VCPUs: 4, Rate: 2000, Time: 3 * time.Second}
	got, err := ReadServiceSize(s.args(schedVlib)[3:])
	if err != nil || got != s {
		t.Errorf("%+v, %v", got, err)
	}
	for _, args := range [][]string{nil, {"4", "2000"}, {"0", "1", "1s"}, {"x", "1", "1s"}, {"1", "1", "1"}, {"17", "1", "1s"}} {
		if _, err := ReadServiceSize(args); err == nil {
			t.Errorf("%q is a size", args)
		}
	}
}
