// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"fmt"

	"github.com/vlibos/vlibos/bench"
)

// serviceRecords returns the ratio of each setting's 99th percentile to that of
// the service alone.
func serviceRecords(scheduler string, size ServiceSize, s Samples, machine string) ([]bench.Record, error) {
	names := []string{alone}
	for _, s := range serviceSettings[scheduler] {
		names = append(names, s.name)
	}
	area := "service.lab."
	if size.VCPUs > 1 {
		area = fmt.Sprintf("service.lab%d.", size.VCPUs)
	}
	var records []bench.Record
	for _, name := range names {
		of := s[sampleServed+name]
		if len(of) != len(servedFigures) {
			return nil, fmt.Errorf("under %s the service has no samples of %s", scheduler, name)
		}
		r := bench.Record{
			Name: area + scheduler + "." + name, Better: bench.Lower, Machine: machine,
			Raw: map[string]float64{"rate_per_s": float64(size.Rate), "vcpus": float64(size.VCPUs), "seconds": size.Time.Seconds()},
		}
		for i, f := range servedFigures {
			r.Raw[f] = of[i]
		}
		if beyond := s[sampleServedBeyond]; name == reserved && len(beyond) == 1 {
			r.Raw["beyond_budget_percent"] = beyond[0]
		}
		const p99 = "p99_us"
		r.Value, r.Unit = r.Raw[p99], "µs"
		if len(records) > 0 {
			r.Value, r.Unit = r.Raw[p99]/records[0].Raw[p99], "ratio"
		}
		records = append(records, r)
	}
	return records, nil
}
