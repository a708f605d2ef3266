// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
)

var schedulers = []struct{ name, label, class string }{
	{"vlib", "this project's module", "ours"}, {"credit2", "Xen's default, credit2", "other"}, {"rtds", "Xen's real-time, RTDS", "other"},
}

var sched = figure{
	id:    "sched",
	title: "Waking up in time",
	what: []string{
		"A task in a guest sleeps 10 ms and then works 0.4 ms, 2,000 times, while two other guests on the same CPU never stop. How late does it wake? It runs on real Xen in an emulator that counts instructions, each of which counts as a nanosecond. The times are not those of a machine, but their proportions are those of the schedulers.",
	},
	paper:    "The paper has no such figure. Its scheduler is Quest's. Ours is a module in Xen, so it must be better than Xen's own two.",
	commands: []string{"vlibbench module"},
	area:     []string{"sched"},
	draw: func(r records) (charts []drawing) {
		for _, q := range []struct{ name, title, label string }{{"p50", "Lateness of a periodic task: median", "half of all wake-ups are later"}, {"p999", "Lateness of a periodic task: 99.9th percentile", "one wake-up in a thousand is later"}} {
			var values []value
			for _, s := range schedulers {
				if one, ok := r.byName["sched.wakeup."+s.name+"."+q.name]; ok {
					values = append(values, value{name: s.label, v: one.Value, class: s.class, unit: one.Unit})
				}
			}
			if len(values) > 0 {
				charts = append(charts, bars("sched-"+q.name, q.title, q.label+"; a nanosecond is an instruction", values, nil))
			}
		}
		return charts
	},
	said: func(r records) (said []string) {
		if one, ok := r.byName["sched.wakeup.ratio"]; ok {
			said = append(said, fmt.Sprintf("One wake-up in a thousand exceeds a lateness that is %s of that under credit2.", percent(one.Value)))
		}
		if one, ok := r.byName["sched.overshoot"]; ok {
			said = append(said, fmt.Sprintf("No domain ran past its budget by more than %s.", human(one.Value, one.Unit)))
		}
		return said
	},
}

var module = figure{
	id:    "module",
	title: "Exact to the instruction",
	only: []paragraph{
		{"charge", "The caller's reservation is charged for the time that the guest uses for a call. This figure compares the charge with the time by Xen's own accounting, for ordinary calls and for a guest that tries to evade the charge by sleeping just before its budget ends."},
	},
	paper:    "In section 3.4 a callee runs on the budget of the calling thread. The paper gives no figure for the accuracy of its prototype.",
	commands: []string{"vlibbench module", "make -C hypervisor/test decision | vlibbench decision"},
	area:     []string{"charge", "module"},
	draw: func(r records) []drawing {
		var values []value
		for _, c := range []struct{ name, label string }{{"charge.accuracy", "1,000 ordinary calls"}, {"charge.evader", "a guest that evades the charge"}} {
			if one, ok := r.byName[c.name]; ok {
				values = append(values, value{name: c.label, v: one.Value, class: "ours", unit: "%"})
			}
		}
		if len(values) == 0 {
			return nil
		}
		return []drawing{bars("charge", "Error of the account", "between what was charged and what ran", values, r.byName["charge.accuracy"].Target)}
	},
}
