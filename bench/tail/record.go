// SPDX-License-Identifier: Apache-2.0

package tail

import (
	"maps"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/corunner"
)

// percentiles are those that are drawn, some for each power of ten.
var percentiles = []float64{0, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99, 99.995, 99.999}

// enough is how many requests must be slower than a percentile that is drawn.
const enough = 10

// record returns the record of a mode.
func (e *experiment) record(m corunner.Mode, rounds bench.Rounds) bench.Record {
	r := e.host.Record("tail."+e.job+"."+m.Name, m, rounds)
	of := e.of[m.Name]
	if of == nil { // no block counts
		return r
	}
	us := func(percentile float64) float64 { return float64(of.latencies.ValueAtPercentile(percentile)) / 1000 }
	count := float64(of.latencies.TotalCount())
	maps.Copy(r.Raw, map[string]float64{
		"p50_us": us(50), "p99_us": us(99), "p999_us": us(99.9), "max_us": us(100), "requests": count,
		"unanswered": float64(of.unanswered), "rate_per_s": float64(e.Rate),
		"generator_late_p99_us": float64(of.late.ValueAtPercentile(99)) / 1000,
	})
	r.Samples = make(map[string][]float64)
	for _, p := range percentiles {
		if count*(1-p/100) < enough {
			break
		}
		r.Samples["percentile"] = append(r.Samples["percentile"], p)
		r.Samples["latency_us"] = append(r.Samples["latency_us"], us(p))
	}
	if m.Name == corunner.Alone {
		r.Value = r.Raw["p99_us"]
	}
	return r
}
