// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/vlibos/vlibos/bench"
)

// served are the ways in which the service's domain is given its CPU.
var served = []struct{ name, label, class string }{
	{"credit2.alone", "alone, credit2", "base"},
	{"credit2.uncapped", "credit2, no cap", "other"},
	{"credit2.others_capped", "credit2, the others capped", "other"},
	{"vlib.alone", "alone, the module", "base"},
	{"vlib.uncapped", "the module, no reservation", "other"},
	{"vlib.reserved", "the module, a reservation", "ours"},
}

var service = figure{
	id:    "service",
	title: "A service in a guest that answers in time",
	what: []string{
		"memcached runs in a guest of real Xen and answers requests that come over Xen's network device, at random moments, whether or not those before are answered. Two other guests on the same CPU never stop. A request's time begins when it should have been sent. The emulator counts instructions; each counts as a nanosecond, so only the proportions are valid.",
		"A cap denies the others even idle time; a reservation does not.",
	},
	paper:    "The paper has no such figure. It motivates its design with such services (section 1).",
	commands: []string{"vlibbench service"},
	area:     []string{"service"},
	draw: func(r records) (charts []drawing) {
		for _, f := range []struct{ id, raw, title, label, unit string }{
			{"service-p99", "p99_us", "99th percentile of memcached in a guest", "one request in a hundred takes longer; a nanosecond is an instruction", "µs"},
			{"service-p999", "p999_us", "99.9th percentile of memcached in a guest", "one request in a thousand takes longer; a nanosecond is an instruction", "µs"},
			{"service-work", "neighbours_cpu_percent", "CPU time of the others", "part of the CPU that the two others have", "%"},
		} {
			var numbers []number
			for _, s := range served {
				if f.id != "service-work" || s.class != "base" {
					numbers = append(numbers, number{s.label, "service.lab." + s.name, f.raw, s.class})
				}
			}
			if values := r.values(f.unit, numbers); len(values) > 0 {
				charts = append(charts, bars(f.id, f.title, f.label, values, nil))
			}
		}
		return charts
	},
	said: func(r records) (said []string) {
		for _, s := range served {
			if one, ok := r.byName["service.lab."+s.name]; ok && s.class != "base" {
				said = append(said, fmt.Sprintf("%s: the 99th percentile is %s times that alone.", s.label, bench.Figure(one.Value)))
			}
		}
		return said
	},
}
