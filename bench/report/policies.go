// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/vlibos/vlibos/bench"
)

var policies = figure{
	id:    "throttle",
	title: "Ways to throttle a neighbour",
	what: []string{
		"A program walks through 4 MiB of memory on one core while a job streams through memory on the other, on this machine. The job is throttled by memory latency (threshold, feedback), by the latency that the program itself reports (felt), or by how much it reads and writes (rate, as MemGuard does), each at several settings. Each curve goes from the stopped job to the job without control. A curve nearer to the lower right is better. The bars have one setting each: how much slower the program is than alone, and how much work the job does.",
		"The second comparison (half) has a program that works for half of the time: a good policy lets the job use the pauses.",
	},
	paper:    "Section 4.2 throttles by average memory latency; section 6.1 calls rate-based throttling, as in the RTS Hypervisor, demonstrably inferior, and gives no figure for it.",
	commands: []string{"vlibbench throttle"},
	area:     []string{"throttle"},
	draw: func(r records) []drawing {
		var slow, work []value
		for _, one := range r.all {
			k, ok := one.Raw["work_ratio"]
			if !ok {
				continue
			}
			name, class := strings.TrimPrefix(one.Name, "throttle."), "ours"
			switch {
			case strings.HasSuffix(name, "none"):
				name, class = strings.TrimSuffix(name, "none")+"without control", "base"
			case strings.Contains(name, "rate-"):
				class = "other"
			}
			slow = append(slow, value{name: name, v: one.Value, low: one.Raw["median_p10_ratio"], high: one.Raw["median_p90_ratio"], class: class, unit: ratio})
			work = append(work, value{name: name, v: 100 * k, class: class, unit: "%"})
		}
		if len(slow) == 0 {
			return nil
		}
		return append(curves(r.all),
			bars("throttle-slow", "Slowdown of the program", "time of a request over that alone, median", slow, bench.Goal(1.3)),
			bars("throttle-work", "Work of the job", "part of what the job does without control", work, nil),
		)
	},
	said: func(r records) (said []string) {
		if one, ok := r.byName["throttle.over_rate"]; ok {
			said = append(said, fmt.Sprintf("At an equal slowdown, the job does %s times as much work under the best latency policy as under rate-based throttling.", bench.Figure(one.Value)))
		}
		return said
	},
}

// uncontrolled is the setting without control, where every curve ends.
const uncontrolled = "none"

// ways are the ways to throttle the job, by the beginnings of their settings'
// names.
var ways = []struct{ name, label, class string }{
	{"threshold", "memory latency, threshold", "c4"}, {"feedback", "memory latency, feedback", "c5"},
	{"felt", "the program's own latency, feedback", "c3"}, {"rate", "rate", "c1"},
}

// curves draw the program's slowdown against the job's work, with a line for each
// way, for each kind of program.
func curves(all []bench.Record) (charts []drawing) {
	for _, kind := range []struct{ id, prefix, title string }{
		{"throttle-curve", "throttle.", "a program that always works"},
		{"throttle-half-curve", "throttle.half.", "a program that works half of the time"},
	} {
		points := make(map[string][]point)
		for _, one := range all {
			setting, ok := strings.CutPrefix(one.Name, kind.prefix)
			work, measured := one.Raw["work_ratio"]
			if !ok || !measured || strings.Contains(setting, "half.") {
				continue
			}
			way, _, _ := strings.Cut(setting, "-")
			points[way] = append(points[way], point{100 * work, one.Value})
		}
		free := points[uncontrolled]
		var lines []line
		for i, w := range ways {
			if len(points[w.name]) == 0 || len(free) == 0 {
				continue
			}
			p := slices.Concat([]point{{0, 1}}, points[w.name], free)
			slices.SortFunc(p, func(a, b point) int { return cmp.Compare(a.x, b.x) })
			lines = append(lines, plot(w.label, w.class, dash(i), p))
		}
		if len(lines) > 0 {
			charts = append(charts, xy(kind.id, "Slowdown against work: "+kind.title, "across: work of the job, of that without control; upwards: time of the program's request over that alone", lines, 1.3))
		}
	}
	return charts
}
