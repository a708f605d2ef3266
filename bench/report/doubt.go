// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vlibos/vlibos/bench"
)

// unsound says why a record's numbers prove nothing: the machine was noisy, or the
// experiment failed half way. It is "" if they are sound.
func unsound(r bench.Record) string {
	if why := r.Noisy(); why != "" {
		return "the machine was too noisy: " + why
	}
	return r.Partial()
}

// doubt is unsound, or why a sound record neither meets nor misses its target, or
// what its pairs of blocks leave open.
func doubt(r bench.Record) string {
	if why := unsound(r); why != "" {
		return why
	}
	for _, d := range deciding {
		if one, ok := r.Ratio(d.quantile); ok && one.More > 0 {
			return fmt.Sprintf("%s: %s is %s times that alone, which does not exclude 1; about %s more are needed", r.Name, d.title, around(one), rough(one.More))
		}
	}
	if c := r.Conclusion(); c != r.Verdict() {
		return r.Name + ": " + strings.TrimPrefix(c, "no conclusion, ")
	}
	return ""
}

// deciding are the quantiles whose ratios must be conclusive.
var deciding = []struct{ quantile, title string }{{"p50", "the median"}, {"p99", "the 99th percentile"}}

// around is a ratio with its interval.
func around(r bench.Ratio) string {
	return fmt.Sprintf("%s (%s to %s)", bench.Figure(r.Value), bench.Figure(r.Low), bench.Figure(r.High))
}

// rough is a time in minutes, or in hours if there are many.
func rough(d time.Duration) string {
	if d >= 2*time.Hour {
		return fmt.Sprintf("%.0f hours", d.Hours())
	}
	return fmt.Sprintf("%.0f minutes", d.Minutes())
}

// What a ratio concludes.
const (
	longer  = "longer"
	shorter = "shorter"
	same    = "the same within 5 %"
	nothing = "no conclusion"
)

// verdict says what a ratio concludes.
func verdict(r bench.Ratio) string {
	switch {
	case r.Value == 0: // there is none
		return nothing
	case r.Differs() && r.Value > 1:
		return longer
	case r.Differs():
		return shorter
	case r.Same:
		return same
	}
	return nothing
}

// conclusion is met, missed, how the 99th percentile differs from that alone, or that
// there is no conclusion; the reason is in the box.
func conclusion(r bench.Record) string {
	if doubt(r) != "" {
		return nothing
	}
	if one, ok := r.Ratio("p99"); ok {
		return verdict(one)
	}
	return r.Verdict()
}

// doubts returns those of the records, each once.
func doubts(all []bench.Record) []string { return distinct(all, doubt) }

// sound returns the records whose numbers prove something.
func sound(all []bench.Record) records {
	return index(slices.DeleteFunc(slices.Clone(all), func(r bench.Record) bool { return unsound(r) != "" }))
}
