// SPDX-License-Identifier: Apache-2.0

package report

import "strings"

// fig6 are the paper's names of the five bars in each of the three groups.
var fig6 = []struct{ name, label string }{
	{"alone", "alone"},
	{"quest", "beside one in the master"},
	{"quest_mem", "the same, throttled"},
	{"linux", "beside one in a guest"},
	{"linux_mem", "the same, throttled"},
}

var mjump = figure{
	id:    "mjump",
	title: "Two programs that want the same memory",
	what: []string{
		"m_jump writes one word of each cache line of an array as large as the last-level cache. Two of them on two cores are as hard on the memory bus as programs can be. One of them is urgent and has a reservation; the other one is not, and is held back whenever memory gets slow. How much work does the urgent one get done?",
	},
	paper:    "Figure 6: with 10 % of a CPU reserved, throttling a Linux guest takes back 50 % of the slowdown; with 30 % and 60 % less, because there is less background time to take away.",
	commands: []string{"vlibbench contended"},
	area:     []string{"mjump"},
	draw: func(r records) []chart {
		var values []value
		for _, one := range r.all {
			class := "other"
			if strings.HasSuffix(one.Name, "mem") {
				class = "ours"
			}
			values = append(values, value{name: mjumpLabel(one.Name), v: one.Value, class: class, unit: one.Unit})
		}
		if len(values) == 0 {
			return nil
		}
		return []chart{bars("mjump", "Work of m_jump", "as the unit at the bar says", values, nil)}
	},
}

func mjumpLabel(name string) string {
	name = strings.TrimPrefix(name, "mjump.")
	group, which, ok := strings.Cut(name, ".")
	for _, f := range fig6 {
		if ok && which == f.name {
			return group + ": " + f.label
		}
	}
	return name
}
