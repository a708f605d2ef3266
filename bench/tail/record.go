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

// uncontrolled is the mode in which a job does a hundred per cent of its work.
const uncontrolled = "uncontrolled"

// record returns the record of a mode: the ratio of its 99th percentile to that
// of the service alone.
func (e *experiment) record(m corunner.Mode, s bench.Series) bench.Record {
	of := e.of[m.Name]
	us := func(percentile float64) float64 { return float64(of.latencies.ValueAtPercentile(percentile)) / 1000 }
	count := float64(of.latencies.TotalCount())
	r := bench.Record{
		Name: "tail." + e.job + "." + m.Name, Better: bench.Lower,
		Raw: map[string]float64{
			"p50_us": us(50), "p99_us": us(99), "p999_us": us(99.9), "max_us": us(100), "requests": count,
			"unanswered": float64(of.unanswered), "rate_per_s": float64(e.Rate), "load_1min": bench.Load(),
			"generator_late_p99_us": float64(of.late.ValueAtPercentile(99)) / 1000,
		},
		Samples: make(map[string][]float64),
	}
	r.Repeated(len(s[m.Name]), e.Repeats)
	maps.Copy(r.Raw, e.host.Notes(m))
	if full := e.of[uncontrolled]; full != nil && full.work > 0 {
		r.Raw["work_percent"] = 100 * (of.work / of.slots) / (full.work / full.slots)
	}
	for _, p := range percentiles {
		if count*(1-p/100) < enough {
			break
		}
		r.Samples["percentile"] = append(r.Samples["percentile"], p)
		r.Samples["latency_us"] = append(r.Samples["latency_us"], us(p))
	}
	if m.Name == corunner.Alone {
		r.Value, r.Unit = r.Raw["p99_us"], "µs"
		return r
	}
	r.Compare(s, m.Name, corunner.Alone)
	return r
}
