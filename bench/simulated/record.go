// SPDX-License-Identifier: Apache-2.0

package simulated

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/corunner"
)

// records makes a record of each mode: the ratios to the service alone, of which the
// value is that of the 99th percentile, and those to the same job uncontrolled.
func (e *experiment) records(rounds bench.Rounds, controls map[string]*control) (all []bench.Record) {
	for _, m := range modes {
		var us []float64
		for _, b := range rounds.Valid(m.name) {
			us = append(us, b.Values...)
		}
		r := bench.Record{
			Name: "simulated." + e.job.name + "." + m.name, Unit: "µs", Better: bench.Lower, Machine: "a simulated memory bus",
			Raw: map[string]float64{
				"p50_us": bench.Quantile(us, 0.5), "p99_us": bench.Quantile(us, 0.99), "p999_us": bench.Quantile(us, 0.999), "requests": float64(len(us)),
				"work_percent": 100 * rounds.Work(m.name) / rounds.Work(corunner.Uncontrolled),
				"rate_per_s":   float64(e.Rate), "turn_ns": float64(turn), "period_us": float64(m.period.Microseconds()), "stops_us": float64(m.stops.Microseconds()),
			},
		}
		r.Discards(rounds, m.name)
		if c := controls[m.name]; c.throttle != nil {
			r.Raw["throttle_unhealthy"] = float64(c.unhealthy)
			if m.policy != "rate" {
				r.Raw["limit_ns"] = c.limit
			}
		}
		r.Value = r.Raw["p99_us"]
		if m.name != corunner.Alone {
			r.Pair(rounds, m.name, corunner.Alone, "")
			if m.name != corunner.Uncontrolled {
				r.Pair(rounds, m.name, corunner.Uncontrolled, corunner.Instead)
			}
			r.Value, r.Unit = r.Raw["p99_ratio"], "ratio"
			r.Raw["ratio_low"], r.Raw["ratio_high"] = r.Raw["p99_ratio_low"], r.Raw["p99_ratio_high"]
		}
		all = append(all, r)
	}
	return all
}

// Print writes a table of the records. A figure from which nothing is concluded has a
// question mark.
func Print(w io.Writer, records []bench.Record) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tp50 µs\tp99 µs\tp99.9 µs\tp50 over alone\tp99 over alone\tp99.9 over alone\tp99 over uncontrolled\twork\t")
	why := ""
	for _, r := range records {
		why = max(why, r.Noisy())
		fmt.Fprintf(t, "%s\t%.1f\t%.1f\t%.1f\t", strings.TrimPrefix(r.Name, "simulated."), r.Raw["p50_us"], r.Raw["p99_us"], r.Raw["p999_us"])
		for _, q := range []string{"p50", "p99", "p999", corunner.Instead + "p99"} {
			if one, ok := r.Ratio(q); ok {
				fmt.Fprintf(t, "%.3g (%.3g to %.3g)", one.Value, one.Low, one.High)
				if one.More > 0 && q != "p999" {
					fmt.Fprint(t, "?")
				}
			}
			fmt.Fprint(t, "\t")
		}
		fmt.Fprintf(t, "%.0f %%\t\n", r.Raw["work_percent"])
	}
	if err := t.Flush(); err != nil || why == "" {
		return err
	}
	_, err := fmt.Fprintln(w, "nothing is concluded:", why)
	return err
}
