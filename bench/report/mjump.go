// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"

	"github.com/vlibos/vlibos/bench"
)

// fig6 are the five bars in each of the figure's groups, by the names of their
// raw numbers.
var fig6 = []struct{ name, label, class string }{
	{"alone", "alone", "base"},
	{"master", "beside one in the master", "other"},
	{"master_controlled", "the same, throttled", "ours"},
	{"vlibos", "beside one in a guest", "other"},
	{"called", "the same, called and throttled", "ours"},
}

var mjump = figure{
	id:    "mjump",
	title: "Two programs that want the same memory",
	what: []string{
		"m_jump writes one word of each cache line of an array as large as the last-level cache. Two of them on two cores are as hard on the memory bus as programs can be. One of them is urgent and has a reservation; the other one is not, and is held back whenever memory gets slow. How much work does the urgent one get done in its foreground time?",
		"Measured on real Xen in an emulator that models a shared cache and one memory bus, and really delays a CPU whose access has to wait. The bars are only to be compared with each other.",
	},
	paper:    "Figure 6: with 10 % of a CPU reserved, throttling a Linux guest takes back 50 % of the slowdown; with 30 % and 60 % less, because there is less background time to take away.",
	commands: []string{"vlibbench mjump"},
	area:     []string{"throttle.mjump"},
	draw: func(r records) (charts []chart) {
		for _, one := range r.all {
			var values []value
			for _, f := range fig6 {
				rate := f.name + "_writes_per_s"
				if v, ok := one.Raw[rate+"_p50"]; ok {
					values = append(values, value{name: f.label, v: v / 1000, low: one.Raw[rate+"_p10"] / 1000, high: one.Raw[rate+"_p90"] / 1000, class: f.class})
				}
			}
			if len(values) > 0 {
				charts = append(charts, bars("mjump-"+groupOf(one), "Work of m_jump", fmt.Sprintf("thousand writes a second of foreground time, with %s of a CPU reserved", utilisation(one)), values, nil))
			}
		}
		return charts
	},
	said: func(r records) (said []string) {
		for _, one := range r.all {
			said = append(said, fmt.Sprintf("With %s of a CPU reserved, control gives back %s of the slowdown; the other keeps %s of its work.",
				utilisation(one), percent(one.Value), percent(one.Raw["batch_kept"])))
		}
		return said
	},
}

// groupOf is u10 of throttle.mjump.u10.
func groupOf(one bench.Record) string { return one.Name[strings.LastIndex(one.Name, ".")+1:] }

func utilisation(one bench.Record) string { return strings.TrimPrefix(groupOf(one), "u") + " %" }

var policies = figure{
	id:    "throttle",
	title: "Ways to hold a neighbour back",
	what: []string{
		"A program walks through 4 MiB of memory on one core while a job streams through memory on the other, on this machine. The job is held back by memory latency (threshold, feedback), by the latency that the program itself reports (felt), or by how much it reads and writes (rate, as MemGuard does), each at several settings. The first picture says how much slower the program is than alone, the second how much of the job's work is left: the best way is low in the first and high in the second.",
	},
	paper:    "Section 4.2 throttles by average memory latency; section 6.1 calls rate-based throttling, as in the RTS Hypervisor, demonstrably inferior, and gives no figure for it.",
	commands: []string{"vlibbench throttle"},
	area:     []string{"throttle"},
	draw: func(r records) []chart {
		var slow, kept []value
		for _, one := range r.all {
			k, ok := one.Raw["kept_ratio"]
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
		return []chart{
			bars("throttle-slow", "Slowdown of the program", "time of a request over that alone, median", slow, bench.Goal(1.3)),
			bars("throttle-kept", "Work of the job", "per cent of what the job does without control", kept, nil),
		}
	},
	said: func(r records) (said []string) {
		if one, ok := r.byName["throttle.over_rate"]; ok {
			said = append(said, fmt.Sprintf("At an equal slowdown, the best policy by latency keeps %s times the work that rate-based throttling keeps.", bench.Figure(one.Value)))
		}
		return said
	},
}
