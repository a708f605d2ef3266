// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/corunner"
)

// fact is one line of the summary on top.
type fact struct {
	Topic, Text string
	// Faint says that the line concludes nothing.
	Faint bool
}

// questions are what an operator wants to know, and the command that answers.
var questions = []struct {
	topic, command string
	answer         func(records) []string
}{
	{"Calls", "vlibmaster bench overhead", callsCost},
	{"Budgets", "vlibbench module", budgetsHold},
	{"Neighbours", "vlibmaster bench tail", neighboursCost},
	{"Throttle", "vlibbench throttle", throttleGives},
}

// brief answers the questions from the records, in five lines.
func brief(all []bench.Record) []fact {
	whole, sure := index(all), sound(all)
	var facts []fact
	var missing []string
	for _, q := range questions {
		f := fact{Topic: q.topic, Text: sentence(q.answer(sure))}
		switch {
		case f.Text != "":
		case len(q.answer(whole)) > 0:
			f.Text, f.Faint = "Measured, but nothing can be concluded: see the last line.", true
		default:
			f.Text, f.Faint = "Not measured: "+q.command+" does.", true
			missing = append(missing, strings.ToLower(q.topic))
		}
		facts = append(facts, f)
	}
	return append(facts, open(all, missing))
}

// open says what was not concluded.
func open(all []bench.Record, missing []string) fact {
	var parts []string
	if why := doubts(all); len(why) > 0 {
		count := 0
		for _, r := range all {
			if doubt(r) != "" {
				count++
			}
		}
		titles := distinct(all, func(r bench.Record) string {
			for _, f := range figures {
				if doubt(r) != "" && about(r.Name) == f.id {
					return f.title
				}
			}
			return ""
		})
		text := fmt.Sprintf("%d of %d results", count, len(all))
		if len(titles) > 0 {
			text += ", of: " + strings.Join(titles, "; ")
		}
		parts = append(parts, text)
	}
	if len(missing) > 0 {
		parts = append(parts, "not measured: "+strings.Join(missing, ", "))
	}
	if len(parts) == 0 {
		parts = []string{"nothing: each result stands"}
	}
	return fact{Topic: "Not concluded", Text: sentence(parts)}
}

// sentence makes a sentence of each part.
func sentence(parts []string) string {
	var all []string
	for _, p := range parts {
		all = append(all, strings.ToUpper(p[:1])+p[1:]+".")
	}
	return strings.Join(all, " ")
}

func callsCost(r records) (said []string) {
	if one, ok := r.byName["call.native.block"]; ok {
		text := fmt.Sprintf("a call to another process takes %s, %s times as long as waking that process", rawTime(one, "call_ns"), interval(one))
		if rpc, ok := r.byName["call.native.rpc"]; ok {
			text += fmt.Sprintf(", and %s of a call through Go's net/rpc", percent(rpc.Value))
		}
		said = append(said, text)
	}
	if one, ok := r.byName["call.lab.block"]; ok {
		said = append(said, fmt.Sprintf("a call into a guest takes %s instructions, %s of those of Xen's own libxenvchan",
			human(one.Raw["block_instructions_p50"], ""), percent(one.Value)))
	}
	return said
}

func budgetsHold(r records) (said []string) {
	if one, ok := r.byName["sched.overshoot"]; ok {
		said = append(said, fmt.Sprintf("no domain ran past its budget by more than %s", human(one.Value, one.Unit)))
	}
	if one, ok := r.byName["charge.accuracy"]; ok {
		said = append(said, fmt.Sprintf("the account of calls is right to %s", human(one.Value, one.Unit)))
	}
	if one, ok := r.byName["reserve.overshoot.p99"]; ok {
		said = append(said, fmt.Sprintf("of 100 budgets that ended, 99 were exceeded by %s at most", human(one.Value, one.Unit)))
	}
	worst := math.Inf(1)
	for _, one := range r.all {
		if strings.HasPrefix(one.Name, "stock.") {
			worst = min(worst, one.Value)
		}
	}
	if !math.IsInf(worst, 1) {
		said = append(said, fmt.Sprintf("on an unmodified Xen each domain got at least %s of its budget", percent(worst)))
	}
	return said
}

// controlled are the modes in which a neighbour on another CPU is controlled.
var controlled = []string{"capped", "rate", "threshold", "feedback"}

func neighboursCost(r records) (said []string) {
	said = append(said, neighbour(r, "lidar.", "decision of a real-time task beside a neighbour that streams through memory")...)
	for _, job := range corunner.Jobs() {
		said = append(said, neighbour(r, "tail."+job+".", "request to memcached beside "+job)...)
	}
	free, reserved := r.byName["service.lab.vlib.uncapped"], r.byName["service.lab.vlib.reserved"]
	if free.Value > 0 && reserved.Value > 0 {
		said = append(said, fmt.Sprintf("beside two guests that spin, one request in a hundred takes %s times as long as alone without a reservation, and %s times with one",
			bench.Figure(free.Value), bench.Figure(reserved.Value)))
	}
	return said
}

// neighbour says what a neighbour costs without control, and which control helps most:
// of the 99th percentile, or of the median if that alone concludes something.
func neighbour(r records, area, thing string) []string {
	free := r.byName[area+corunner.Uncontrolled]
	if _, ok := free.Ratio("p99"); !ok {
		return nil
	}
	for _, of := range []struct{ quantile, what string }{{"p99", "one " + thing + " in a hundred"}, {"p50", "a typical " + thing}} {
		switch one, _ := free.Ratio(of.quantile); verdict(one) {
		case longer:
			return []string{fmt.Sprintf("%s takes %s times as long as alone%s", of.what, around(one), best(r, area, of.quantile))}
		case shorter, same:
			return []string{fmt.Sprintf("%s takes no longer than alone: %s times", of.what, around(one))}
		}
	}
	return []string{fmt.Sprintf("whether a %s takes longer than alone could not be told", thing)}
}

// best says which control helps most at a quantile, if one does.
func best(r records, area, quantile string) string {
	least, mode := bench.Ratio{}, ""
	for _, m := range controlled {
		one, _ := r.byName[area+m].Ratio(corunner.Instead + quantile)
		if verdict(one) == shorter && (mode == "" || one.Value < least.Value) {
			least, mode = one, m
		}
	}
	if mode == "" {
		return "; no control made it surely shorter"
	}
	alone, _ := r.byName[area+mode].Ratio(quantile)
	text := fmt.Sprintf("; %s times with the %s", around(alone), corunner.Title(mode))
	if work, ok := r.raw(area+mode, "work_percent"); ok {
		text += fmt.Sprintf(", which still does %s of its work", human(work, "%"))
	}
	return text
}

func throttleGives(r records) (said []string) {
	for _, name := range []string{"throttle.mjump.u10", quickMjump + ".u10"} {
		if one, ok := r.byName[name]; ok {
			said = append(said, fmt.Sprintf("throttling a neighbour takes back %s that it caused, and the neighbour keeps %s of its work",
				human(one.Value, one.Unit), percent(one.Raw["batch_work"])))
			break
		}
	}
	if one, ok := r.byName["throttle.over_rate"]; ok {
		said = append(said, fmt.Sprintf("at an equal slowdown, throttling by latency leaves the neighbour %s times the work that throttling by rate does", bench.Figure(one.Value)))
	}
	return said
}
