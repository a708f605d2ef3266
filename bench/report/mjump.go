// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"

	"github.com/vlibos/vlibos/bench"
)

// fig6 are the five bars in each group of the paper's figure, by the names of
// their raw numbers.
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
		"m_jump writes one word of each cache line of an array as large as the last-level cache. Two of them on two cores load the memory bus as much as programs can. One is urgent and has a reservation; the other is a batch program, which is throttled whenever memory gets slow. How much work does the urgent one do in its foreground time?",
		"Measured on real Xen in an emulator that models a shared cache and one memory bus, and delays a CPU whose access has to wait. Compare the bars only with each other.",
	},
	paper:    "Figure 6: with 10 % of a CPU reserved, throttling a Linux guest takes back 50 % of the slowdown; with 30 % and 60 % less, because there is less background time to take away.",
	commands: []string{"vlibbench mjump", "vlibbench mjump --quick"},
	area:     []string{"throttle.mjump", quickMjump},
	draw: func(r records) (charts []drawing) {
		for _, one := range r.all {
			var values []value
			for _, f := range fig6 {
				rate := f.name + "_writes_per_s"
				if v, ok := one.Raw[rate+"_p50"]; ok {
					values = append(values, value{name: f.label, v: v, low: one.Raw[rate+"_p10"], high: one.Raw[rate+"_p90"], class: f.class})
				}
			}
			if len(values) > 0 {
				id, when := "mjump-"+groupOf(one), ""
				if quick(one) {
					id, when = "mjump-quick-"+groupOf(one), "; a quick run"
				}
				charts = append(charts, bars(id, "Work of m_jump with "+utilisation(one)+" of a CPU reserved", "writes a second of foreground time"+when, values, nil))
			}
		}
		return append(charts, recovered(r)...)
	},
	said: func(r records) (said []string) {
		for _, one := range r.all {
			what := "the slowdown"
			if quick(one) {
				what = "the latency that the other adds, in a quick run"
				latency := func(bar string) string { return rawTime(one, bar+"_task_latency_ns") }
				said = append(said, fmt.Sprintf("A memory access takes %s alone; beside the other, %s with the throttle off and %s with it on.",
					latency("alone"), latency("vlibos"), latency("called")))
			}
			said = append(said, fmt.Sprintf("With %s of a CPU reserved, control gives back %s of %s; the other does %s of its work.",
				utilisation(one), percent(one.Value), what, percent(one.Raw["batch_work"])))
		}
		return said
	},
}

// paperRecovered is what control gives back in Figure 6 with 10 % of a CPU
// reserved, in per cent.
const paperRecovered = 50

// recovered draws what control gives back, with the paper's result.
func recovered(r records) []drawing {
	var values []value
	add := func(one bench.Record, label, name, class string) {
		if v, ok := one.Raw[name+"_p50"]; ok {
			values = append(values, value{name: utilisation(one) + label, v: 100 * v, low: 100 * one.Raw[name+"_p10"], high: 100 * one.Raw[name+"_p90"], class: class, unit: "%"})
		}
	}
	for _, one := range r.all {
		add(one, ", the other called in a guest", "recovered", "ours")
		add(one, ", the other in the master", "recovered_in_master", "ours")
		if v, ok := one.Raw["recovered_latency"]; ok {
			label := ", of the latency"
			if quick(one) {
				label += ", a quick run"
			}
			values = append(values, value{name: utilisation(one) + label, v: 100 * v, class: "ours", unit: "%"})
		}
	}
	if len(values) == 0 {
		return nil
	}
	values = append(values, value{name: "10 %, the paper's machine", v: paperRecovered, class: "base", unit: "%"})
	return []drawing{bars("mjump-recovered", "What control gives back", "part of the slowdown, by how much of a CPU is reserved", values, nil)}
}

// quickMjump is the beginning of the names of a quick run's records.
const quickMjump = "throttle.mjump_quick"

func quick(one bench.Record) bool { return strings.HasPrefix(one.Name, quickMjump) }

// groupOf returns u10 of throttle.mjump.u10.
func groupOf(one bench.Record) string { return one.Name[strings.LastIndex(one.Name, ".")+1:] }

func utilisation(one bench.Record) string { return strings.TrimPrefix(groupOf(one), "u") + " %" }
