// SPDX-License-Identifier: Apache-2.0

package counted

import (
	"fmt"
	"slices"

	"github.com/vlibos/vlibos/bench"
)

// serviceRecords are how many times the 99th percentile alone that of each
// setting is.
func serviceRecords(scheduler string, s Samples, machine string) ([]bench.Record, error) {
	figure := func(of []float64, name string) float64 { return of[slices.Index(servedFigures, name)] }
	var base []float64
	var records []bench.Record
	for _, name := range append([]string{alone}, names(serviceSettings[scheduler])...) {
		of := s[sampleServed+name]
		if len(of) != len(servedFigures) {
			return nil, fmt.Errorf("under %s nothing was measured of the service: %s", scheduler, name)
		}
		r := bench.Record{
			Name: "service.lab." + scheduler + "." + name, Better: bench.Lower, Machine: machine,
			Raw: map[string]float64{"rate_per_s": float64(serviceOrder.Rate)},
		}
		for i, f := range servedFigures {
			r.Raw[f] = of[i]
		}
		if beyond := s[sampleServedBeyond]; name == reserved && len(beyond) == 1 {
			r.Raw["beyond_budget_percent"] = beyond[0]
		}
		if base == nil {
			base = of
			r.Value, r.Unit = figure(of, "p99_us"), "µs"
		} else {
			r.Value, r.Unit = figure(of, "p99_us")/figure(base, "p99_us"), "ratio"
		}
		records = append(records, r)
	}
	return records, nil
}

func names(settings []setting) (all []string) {
	for _, s := range settings {
		all = append(all, s.name)
	}
	return all
}
