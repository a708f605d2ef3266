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
	title: "Ways to hold a neighbour back",
	what: []string{
		"A program walks through 4 MiB of memory on one core while a job streams through memory on the other, on this machine. The job is held back by memory latency (threshold, feedback), by the latency that the program itself reports (felt), or by how much it reads and writes (rate, as MemGuard does), each at several settings. The curves go from the job stopped to the job without control: the nearer one comes to the lower right, the better the way. The bars have each setting by itself: how much slower the program is than alone, and how much of the job's work is left.",
		"The same again with a program that works for half of the time (half): a job may use the pauses, and who holds it back should let it.",
	},
	paper:    "Section 4.2 throttles by average memory latency; section 6.1 calls rate-based throttling, as in the RTS Hypervisor, demonstrably inferior, and gives no figure for it.",
	commands: []string{"vlibbench throttle"},
	area:     []string{"throttle"},
	draw: func(r records) []chart {
		var slow, kept []value
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
			slow = append(slow, value{name: name, v: one.Value, low: one.Raw["median_p10_ratio"], high: one.Raw["median_p90_ratio"], class: class})
			kept = append(kept, value{name: name, v: 100 * k, class: class, unit: "%"})
		}
		if len(slow) == 0 {
			return nil
		}
		return append(curves(r.all),
			bars("throttle-slow", "Slowdown of the program", "time of a request over that alone, median", slow, bench.Goal(1.3)),
			bars("throttle-work", "Work of the job", "per cent of what the job does without control", kept, nil),
		)
	},
	said: func(r records) (said []string) {
		if one, ok := r.byName["throttle.over_rate"]; ok {
			said = append(said, fmt.Sprintf("At an equal slowdown, the best policy by latency keeps %s times the work that rate-based throttling keeps.", bench.Figure(one.Value)))
		}
		return said
	},
}

// uncontrolled is the setting without control, where every curve ends.
const uncontrolled = "none"

// ways to hold the job back, by how the names of their settings begin.
var ways = []struct{ name, label, class string }{
	{"threshold", "memory latency, threshold", "c4"}, {"feedback", "memory latency, feedback", "c5"},
	{"felt", "the program's own latency, feedback", "c3"}, {"rate", "rate", "c1"},
}

// curves draw the program's slowdown against the job's work, a line for each
// way, for each kind of program.
func curves(all []bench.Record) (charts []chart) {
	for _, kind := range []struct{ id, prefix, title string }{
		{"throttle-curve", "throttle.", "a program that always works"},
		{"throttle-half-curve", "throttle.half.", "a program that works half of the time"},
	} {
		points := make(map[string][]point)
		for _, one := range all {
			setting, ok := strings.CutPrefix(one.Name, kind.prefix)
			kept, measured := one.Raw["work_ratio"]
			if !ok || !measured || strings.Contains(setting, "half.") {
				continue
			}
			way, _, _ := strings.Cut(setting, "-")
			points[way] = append(points[way], point{100 * kept, one.Value})
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
			charts = append(charts, xy(kind.id, "Slowdown against work kept: "+kind.title, "per cent of the job's work that is kept; upwards: time of a request of "+kind.title+", over that alone", lines, 1.3))
		}
	}
	return charts
}
