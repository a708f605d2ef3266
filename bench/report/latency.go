// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/corunner"
)

// controls says what the titles of the modes mean.
const controls = "A capped job gets 30 % of its core from the kernel, whatever other programs do. A throttled job is stopped for parts of each 10 ms: by rate when it causes more than 30 % of its usual memory traffic; by latency and by feedback when memory, or a request of the service's users, is slower than with the service alone. Where the processor counts neither latency nor traffic, a probe measures memory with a hundredth of a core, and the job's own count of its work, or its CPU time, replaces its traffic. The records name what was used, as limit_SOURCE_ns and budget_UNIT_per_s."

// blocks says how the modes are compared.
const blocks = "The modes take turns: each is measured for 400 ms, 100 ms after the change, in an order that is drawn for each round. Each value is divided by the median of the block alone of its round, so that a machine that becomes slower does so for all. A block is discarded, whatever was measured in it, if a hypervisor took more than 2 % of the time of one of the two cores, or if a real-time timer of one of them was more than 2 ms late. The interval of a ratio comes from drawing pairs of blocks (95 %, by bootstrap); the median and the 99th percentile conclude something if it excludes 1 by more than 0.5 %, or if it is within 5 % of 1. The 99.9th percentile is only shown."

var lidar = figure{
	id:    "lidar",
	title: "A vehicle that must steer in time",
	what: []string{
		"A task decodes a scan of a LIDAR, finds what is in the way and decides where to steer, once in 40 ms. Its time is measured from the receipt of the scan to its decision: alone, beside a neighbour on the other core that streams through memory, and beside the same neighbour under control. Each dot is one decision; the highest dots matter most.",
		"The scans come from a simulator, in the format of the paper's device (a Hokuyo URG-04LX). The task runs under SCHED_FIFO, so that no other task of its core delays it: the delays that are left come from memory.",
		controls, blocks,
	},
	paper:    "Figures 9 and 10: alone about 12,000 cycles with little spread; beside an uncontrolled Darknet in a Linux guest at worst about 24,000, twice the average; with Darknet controlled at worst about 17,000. 2,000 samples each.",
	commands: []string{"vlibmaster bench lidar --full"},
	area:     []string{"lidar"},
	draw: func(r records) []drawing {
		var lines []line
		for i, one := range r.all {
			if s := one.Samples["decision_us"]; len(s) > 0 {
				note := fmt.Sprintf("median %s, 99 %% within %s, worst %s", rawTime(one, "p50_us"), rawTime(one, "p99_us"), rawTime(one, "max_us"))
				lines = append(lines, line{name: title(one.Name), note: note, class: color(i), y: s})
			}
		}
		if len(lines) == 0 {
			return nil
		}
		charts := append([]drawing{scatter("lidar", "Time of each decision", "time of a decision, in the order in which they were taken", lines)}, over("lidar", "decision", r.all)...)
		return append(charts, worst(r)...)
	},
	said: func(r records) (said []string) {
		for _, one := range r.all {
			if one.Unit == ratio {
				said = append(said, title(one.Name)+": "+compared(one))
			}
		}
		return said
	},
}

// over draws the ratios to the same thing alone, with their intervals.
func over(id, thing string, all []bench.Record) (charts []drawing) {
	for _, q := range []struct{ quantile, title string }{{"p50", "Median"}, {"p99", "99th percentile"}} {
		var values []value
		for i, one := range all {
			if r, ok := one.Ratio(q.quantile); ok {
				values = append(values, value{name: title(one.Name), v: r.Value, low: r.Low, high: r.High, class: color(i), unit: ratio})
			}
		}
		if len(values) > 0 {
			charts = append(charts, bars(id+"-"+q.quantile, q.title+" of a "+thing+", over that alone", "ratio with its interval, 95 %; 1 is as long as alone", values, nil))
		}
	}
	return charts
}

// compared says how a record's quantiles compare with those alone, and with those
// without control, and from how many pairs of blocks.
func compared(one bench.Record) string {
	var parts []string
	for _, d := range deciding {
		if r, ok := one.Ratio(d.quantile); ok {
			parts = append(parts, fmt.Sprintf("%s is %s times that alone: %s", d.title, around(r), verdict(r)))
		}
	}
	if r, ok := one.Ratio("p999"); ok {
		parts = append(parts, fmt.Sprintf("the 99.9th is %s times", around(r)))
	}
	for _, d := range deciding {
		if r, ok := one.Ratio(corunner.Instead + d.quantile); ok {
			parts = append(parts, fmt.Sprintf("%s is %s times that without the control: %s", d.title, around(r), verdict(r)))
		}
	}
	if work, ok := one.Raw["work_percent"]; ok {
		parts = append(parts, fmt.Sprintf("%s of the job's work was done", human(work, "%")))
	}
	text := fmt.Sprintf("%.0f pairs of blocks count", one.Raw["pairs"])
	if all, by := one.Discarded(); all > 0 {
		var rules []string
		for _, rule := range slices.Sorted(maps.Keys(by)) {
			rules = append(rules, fmt.Sprintf("%s %.0f", rule, by[rule]))
		}
		text += fmt.Sprintf(", and %.0f of its blocks were discarded (%s)", all, strings.Join(rules, ", "))
	}
	return strings.Join(append(parts, text), "; ") + "."
}

// The paper's worst cases over its average alone, of Figures 9 and 10.
const (
	paperUncontrolled = 24.0 / 12
	paperControlled   = 17.0 / 12
)

// worst draws each mode's worst decision over the mean alone, as the paper's
// figures show it.
func worst(r records) []drawing {
	mean := r.byName["lidar."+corunner.Alone].Raw["mean_us"]
	if mean <= 0 {
		return nil
	}
	var values []value
	for i, one := range r.all {
		if v, ok := one.Raw["max_us"]; ok {
			values = append(values, value{name: title(one.Name), v: v / mean, class: color(i), unit: ratio})
		}
	}
	values = append(values, value{name: "the paper's, uncontrolled", v: paperUncontrolled, class: "base", unit: ratio}, value{name: "the paper's, controlled", v: paperControlled, class: "base", unit: ratio})
	return []drawing{bars("lidar-worst", "Worst decision", "time of the worst decision over the mean of the task alone", values, nil)}
}

var tails = figure{
	id:    "tail",
	title: "A service, and the jobs beside it",
	what: []string{
		"memcached answers requests that come at random moments, a given number a second, whether or not the earlier ones are answered, as requests of many users do. The time of a request begins when it should have been sent, so that the wait for a slow service counts (other ways of measuring hide these moments; the literature calls that coordinated omission).",
		"Beside it runs a batch job: m_jump, a compiler, or a compression. Rare latencies are on the right of the picture: one request in a hundred exceeds the latency at 99 %. A page for a user is made of many requests, so users notice the rare ones. The bars below say how much work the job did: stopping the job would be easy.",
		controls, blocks,
	},
	paper:    "The paper measures no such service. It claims that real-time work slows down less when background work is throttled by memory latency. This figure tests that claim on a server.",
	commands: []string{"vlibmaster bench tail", "vlibmaster bench tail --full"},
	area:     []string{"tail"},
	draw: func(r records) (charts []drawing) {
		jobs, byJob := group(r.all)
		for _, job := range jobs {
			var lines []line
			var work []value
			for i, one := range byJob[job] {
				x, y := one.Samples["percentile"], one.Samples["latency_us"]
				if len(x) > 0 && len(x) == len(y) {
					lines = append(lines, line{name: title(one.Name), class: color(i), dash: dash(i), x: x, y: y})
				}
				if v, ok := one.Raw["work_percent"]; ok && v > 0 {
					work = append(work, value{name: title(one.Name), v: v, class: color(i), unit: "%"})
				}
			}
			if len(lines) > 0 {
				charts = append(charts, tail("tail-"+job, "Latency of memcached beside "+job, "time from the moment a request was due, logarithmic, by percentile", lines))
			}
			charts = append(charts, over("tail-"+job, "request beside "+job, byJob[job])...)
			if len(work) > 0 {
				charts = append(charts, bars("tail-work-"+job, "Work of "+job, "part of what it does uncontrolled", work, nil))
			}
		}
		return charts
	},
	said: func(r records) (said []string) {
		for _, one := range r.all {
			line := fmt.Sprintf("%s, beside %s: median %s, 99th percentile %s, 99.9th %s", title(one.Name), jobOf(one.Name), rawTime(one, "p50_us"), rawTime(one, "p99_us"), rawTime(one, "p999_us"))
			if one.Unit == ratio {
				line += "; " + strings.TrimSuffix(compared(one), ".")
			}
			said = append(said, line+".")
		}
		return said
	},
}

// group returns the records of tail.JOB.MODE by job.
func group(all []bench.Record) (jobs []string, byJob map[string][]bench.Record) {
	byJob = make(map[string][]bench.Record)
	for _, one := range all {
		job := jobOf(one.Name)
		if byJob[job] == nil {
			jobs = append(jobs, job)
		}
		byJob[job] = append(byJob[job], one)
	}
	return jobs, byJob
}

func jobOf(name string) string {
	parts := strings.Split(name, ".")
	return parts[min(1, len(parts)-1)]
}

// title returns the title of the mode at the end of a record's name.
func title(name string) string { return corunner.Title(name[strings.LastIndex(name, ".")+1:]) }

// color and dash are those of the i-th of several lines.
func color(i int) string { return fmt.Sprintf("c%d", i%8) }

func dash(i int) string {
	return []string{"", "7 3", "2 3", "9 3 2 3", "", "4 2", "12 3", "1 2"}[i%8]
}
