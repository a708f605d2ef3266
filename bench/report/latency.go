// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"strings"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/corunner"
)

// controls says what the titles of the modes mean.
const controls = "A capped job gets 30 % of its core from the kernel, whatever other programs do. A throttled job is stopped for parts of each 10 ms: by rate when it causes more than 30 % of its usual memory traffic; by latency and by feedback when memory, or a request of the service's users, is slower than with the service alone. Where the processor counts neither latency nor traffic, a probe measures memory with a hundredth of a core, and the job's own count of its work, or its CPU time, replaces its traffic. The records name what was used, as limit_SOURCE_ns and budget_UNIT_per_s."

var lidar = figure{
	id:    "lidar",
	title: "A vehicle that must steer in time",
	what: []string{
		"A task decodes a scan of a LIDAR, finds what is in the way and decides where to steer, once in 40 ms. Its time is measured from the receipt of the scan to its decision: alone, beside a neighbour on the other core that streams through memory, and beside the same neighbour under control. Each dot is one decision; the highest dots matter most.",
		"The scans come from a simulator, in the format of the paper's device (a Hokuyo URG-04LX). The task runs under SCHED_FIFO, so that no other task of its core delays it: the delays that are left come from memory.",
		controls,
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
		return append([]drawing{scatter("lidar", "Time of each decision", "time of a decision, in the order in which they were taken", lines)}, worst(r)...)
	},
	said: func(r records) (said []string) {
		for _, one := range r.all {
			if one.Unit == ratio {
				said = append(said, fmt.Sprintf("%s: the 99th percentile is %s times that of the task alone.", title(one.Name), interval(one)))
			}
		}
		return said
	},
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
		controls,
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
				line += fmt.Sprintf("; the 99th is %s times that of the service alone, %s of the job's work done", interval(one), percent(one.Raw["work_percent"]/100))
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
