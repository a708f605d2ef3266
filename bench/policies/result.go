// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/vlibos/vlibos/bench"
)

// Targets, as ratios to the victim alone and to the domain without control.
const (
	mostMedian = 1.3
	mostP99    = 2
	leastWork  = 0.15
	leastGain  = 1.2
	// Below this slowdown there is nothing to control or to compare.
	contended = 1.1
)

// Result has all that was measured.
type Result struct {
	Options
	levels
	ProbeCost float64 // part of the victim's CPU
	settings  []setting
	rounds    [][]Figures // of each setting
}

// point has the medians of a setting's ratios over the rounds.
type point struct {
	setting
	median, p99, workRatio float64
	medianNS, p99NS        float64
	work                   float64
	medianLow, medianTop   float64 // 10th and 90th percentile of the rounds' ratios
}

func (r *Result) points() []point {
	var all []point
	for i, s := range r.settings {
		var median, p99, workRatio, medianNS, p99NS, work []float64
		for _, round := range r.rounds {
			median = append(median, round[i].Median/round[0].Median)
			p99 = append(p99, round[i].P99/round[0].P99)
			workRatio = append(workRatio, round[i].Work/round[1].Work)
			medianNS, p99NS, work = append(medianNS, round[i].Median), append(p99NS, round[i].P99), append(work, round[i].Work)
		}
		mid := func(v []float64) float64 { return bench.Quantile(v, 0.5) }
		all = append(all, point{s, mid(median), mid(p99), mid(workRatio), mid(medianNS), mid(p99NS), mid(work), bench.Quantile(median, 0.1), bench.Quantile(median, 0.9)})
	}
	return all
}

// curve returns the trade-offs of the policy rate, from the stopped domain to
// the domain without control.
func curve(points []point) []bench.Tradeoff {
	curve := []bench.Tradeoff{{Slowdown: 1}, {Slowdown: points[1].median, Work: 1}}
	for _, p := range points {
		if p.policy == "rate" {
			curve = append(curve, bench.Tradeoff{Slowdown: p.median, Work: p.workRatio})
		}
	}
	return curve
}

// Records returns one record for each setting and, if there was contention, those
// that have targets. suffix names the victim in the records.
func (r *Result) Records(suffix string) []bench.Record {
	points := r.points()
	var all []bench.Record
	rates := curve(points)
	best, gain := map[string]float64{}, 0.0
	for _, p := range points[1:] {
		all = append(all, bench.Record{
			Name: "throttle" + suffix + "." + p.name, Value: p.median, Unit: "ratio", Better: bench.Lower,
			Raw: map[string]float64{
				"p99_ratio": p.p99, "work_ratio": p.workRatio, "median_ns": p.medianNS, "p99_ns": p.p99NS, "lines_per_s": p.work,
				"median_p10_ratio": p.medianLow, "median_p90_ratio": p.medianTop, "latency_ns": p.at.Threshold, "budget_per_s": p.at.Budget,
			},
		})
		if p.policy != "" && p.median <= mostMedian && p.p99 <= mostP99 {
			best[p.policy] = max(best[p.policy], p.workRatio)
		}
		if p.policy != "" && p.policy != "rate" && p.median <= mostMedian {
			gain = max(gain, p.workRatio/max(bench.WorkAt(rates, p.median), 0.01))
		}
	}
	if points[1].median < contended {
		return r.repeated(all)
	}
	raw := map[string]float64{
		"contention_ratio": points[1].median, "contention_p99_ratio": points[1].p99, "probe_cost_ratio": r.ProbeCost,
		"probe_alone_ns": r.probeAlone, "probe_loaded_ns": r.probeLoaded, "rounds": float64(len(r.rounds)),
	}
	for _, policy := range []string{"threshold", "feedback", "rate"} {
		all = append(all, bench.Record{Name: "throttle" + suffix + ".work." + policy, Value: best[policy], Unit: "ratio", Target: bench.Goal(leastWork), Better: bench.Higher, Raw: raw})
	}
	all = append(all, bench.Record{Name: "throttle" + suffix + ".over_rate", Value: gain, Unit: "ratio", Target: bench.Goal(leastGain), Better: bench.Higher, Raw: raw})
	return r.repeated(all)
}

// repeated notes in each record how many rounds it has.
func (r *Result) repeated(all []bench.Record) []bench.Record {
	for i := range all {
		all[i].Repeated(len(r.rounds), r.Repeats)
	}
	return all
}

// Print writes a table of all settings.
func (r *Result) Print(w io.Writer) error {
	points := r.points()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "setting\tmedian\tp10…p90\tp99\tbatch work\tmedian µs\tp99 µs\t")
	for _, p := range points {
		fmt.Fprintf(t, "%s\t%.2f\t%.2f…%.2f\t%.2f\t%.2f\t%.1f\t%.1f\t\n", p.name, p.median, p.medianLow, p.medianTop, p.p99, p.workRatio, p.medianNS/1e3, p.p99NS/1e3)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "the probe costs %.2f %% of the victim's CPU\n", 100*r.ProbeCost)
	if points[1].median < contended {
		fmt.Fprintf(&text, "the two CPUs hardly disturb each other (%.2f), so the policies cannot be compared\n", points[1].median)
	}
	_, err := io.WriteString(w, text.String())
	return err
}
