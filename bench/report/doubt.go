// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"
	"strings"

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

// doubt is unsound, or why a sound record neither meets nor misses its target.
func doubt(r bench.Record) string {
	if why := unsound(r); why != "" {
		return why
	}
	if c := r.Conclusion(); c != r.Verdict() {
		return r.Name + ": " + strings.TrimPrefix(c, "no conclusion, ")
	}
	return ""
}

// conclusion is met, missed, or that there is none, whose reason is in the box.
func conclusion(r bench.Record) string {
	if doubt(r) != "" {
		return "no conclusion"
	}
	return r.Verdict()
}

// doubts returns those of the records, each once.
func doubts(all []bench.Record) []string { return distinct(all, doubt) }

// sound returns the records whose numbers prove something.
func sound(all []bench.Record) records {
	return index(slices.DeleteFunc(slices.Clone(all), func(r bench.Record) bool { return unsound(r) != "" }))
}
