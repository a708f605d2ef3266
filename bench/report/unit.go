// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/vlibos/vlibos/bench"
)

// prefix is a unit of a quantity, with its size.
type prefix struct {
	size float64
	name string
}

var (
	times  = []prefix{{1, " s"}, {1e-3, " ms"}, {1e-6, " µs"}, {1e-9, " ns"}}
	counts = []prefix{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}}
)

// inSeconds has the units of time in records.
var inSeconds = map[string]float64{"s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}

// ratio is the unit of a ratio in records.
const ratio = "ratio"

// human formats a number of a record's unit with three significant digits: times
// from ns to s, counts with k, M and G, parts in per cent.
func human(v float64, unit string) string {
	size, isTime := inSeconds[unit]
	switch {
	case v == 0 && (isTime || unit == ratio):
		return "0"
	case isTime:
		return scaled(v*size, times)
	case unit == ratio:
		return bench.Figure(v) + "×"
	case unit == "%":
		return bench.Figure(v) + " %"
	case strings.HasPrefix(unit, "of "):
		return percent(v) + " " + unit
	}
	return strings.TrimSpace(scaled(v, counts) + " " + unit)
}

// scaled uses the largest unit of which the number has at least one.
func scaled(v float64, units []prefix) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if err != nil {
		rounded = v
	}
	for _, u := range units {
		if math.Abs(rounded) >= u.size {
			return bench.Figure(rounded/u.size) + u.name
		}
	}
	last := units[len(units)-1]
	return bench.Figure(rounded/last.size) + last.name
}

// rawTime formats a raw number of a record, whose name ends in its unit.
func rawTime(r bench.Record, name string) string {
	unit := strings.Replace(name[strings.LastIndex(name, "_")+1:], "us", "µs", 1)
	return human(r.Raw[name], unit)
}

// interval is a ratio with the interval of its median, if the record has it.
func interval(r bench.Record) string {
	if low, high, ok := r.Range(); ok {
		return fmt.Sprintf("%s (%s to %s)", bench.Figure(r.Value), bench.Figure(low), bench.Figure(high))
	}
	return bench.Figure(r.Value)
}

func percent(share float64) string { return bench.Figure(math.Round(1000*share)/10) + " %" }
