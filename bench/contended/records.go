// SPDX-License-Identifier: Apache-2.0

package contended

import (
	"fmt"

	"github.com/vlibos/vlibos/bench"
)

// targets are the parts of the slowdown that control should give back to the
// task, by utilisation. A higher utilisation leaves less background time to
// take away.
var targets = map[int]float64{10: 0.5}

// uncoreTargets are those of the throttle that reads a processor's counters.
var uncoreTargets = map[int]float64{10: 0.9, 30: 0.8, 60: 0.5}

// apartTarget is the part of the slowdown that cache classes should give back to a task whose
// data fit the cache, and the part of its speed that the other should keep.
const apartTarget = 0.9

// records returns one record for each group: the part of the slowdown that
// control gives back, as the median over the repeats, with the bars as raw
// numbers. With an error it returns the records of the groups before.
func (o Options) records(s Samples, load float64, machine string) ([]bench.Record, error) {
	if o.Quick {
		return o.quickRecords(s, load, machine)
	}
	if o.Fits {
		return o.cacheRecords(s, load, machine)
	}
	name, goals := "throttle.mjump.", targets
	if o.Processor != "" {
		name, goals = "throttle.uncore.", uncoreTargets
	}
	var records []bench.Record
	for _, percent := range o.Utilisations {
		g := group(percent)
		recovered, err := s.recovered(g, vlibos, called)
		if err != nil {
			return records, err
		}
		inMaster, err := s.recovered(g, master, masterControlled)
		if err != nil {
			return records, err
		}
		raw, err := o.raw(s, load, percent)
		if err != nil {
			return records, err
		}
		raw["repeats_with_contention"] = float64(len(recovered))
		bench.Spread(raw, "recovered", recovered)
		bench.Spread(raw, "recovered_in_master", inMaster)
		r := bench.Record{
			Name: name + g, Value: bench.Quantile(recovered, 0.5), Unit: "of the slowdown",
			Better: bench.Higher, Raw: raw, Machine: machine,
		}
		if target, ok := goals[percent]; ok {
			r.Target = bench.Goal(target)
		}
		records = append(records, r)
	}
	return records, nil
}

// cacheRecords returns, for each group, the part of the slowdown that apart classes give back
// to the task, and the part of its speed that the other keeps; beside them, in the raw
// numbers, what the throttle alone does.
func (o Options) cacheRecords(s Samples, load float64, machine string) (records []bench.Record, err error) {
	for _, percent := range o.Utilisations {
		g := group(percent)
		raw, err := o.raw(s, load, percent)
		if err != nil {
			return records, err
		}
		for bar, name := range map[string]string{apart: "victim", throttled: "victim_throttled"} {
			recovered, err := s.recovered(g, vlibos, bar)
			if err != nil {
				return records, err
			}
			var speeds []float64
			free := s[g+"."+vlibos+batchRate]
			for i, rate := range s[g+"."+bar+batchRate] {
				if i < len(free) { // a repeat that failed half way has more of some bars
					speeds = append(speeds, rate/free[i])
				}
			}
			bench.Spread(raw, name+"_recovered", recovered)
			bench.Spread(raw, name+"_streamer_keeps", speeds)
			if bar != apart {
				continue
			}
			for _, r := range []struct {
				name, unit string
				all        []float64
			}{{"cache.victim.", "of the slowdown", recovered}, {"cache.streamer.", "of its speed", speeds}} {
				records = append(records, bench.Record{
					Name: r.name + g, Value: bench.Quantile(r.all, 0.5), Unit: r.unit, Better: bench.Higher,
					Raw: raw, Machine: machine, Target: bench.Goal(apartTarget),
				})
			}
		}
	}
	return records, nil
}

// quickRecords compares latencies in place of writes. A busy host does not
// falsify them, so a few samples are enough.
func (o Options) quickRecords(s Samples, load float64, machine string) (records []bench.Record, err error) {
	for _, percent := range o.Utilisations {
		raw, err := o.raw(s, load, percent)
		if err != nil {
			return records, err
		}
		recovered, ok := raw[recoveredLatency]
		if !ok {
			return records, fmt.Errorf("%s: memory is no slower beside the other (%.0f ns) than alone (%.0f ns): so there is no contention; "+
				"the emulator needs two free CPUs", group(percent), raw[vlibos+"_"+latencies[1:]], raw[alone+"_"+latencies[1:]])
		}
		records = append(records, bench.Record{
			Name: "throttle.mjump_quick." + group(percent), Value: recovered, Unit: "of the latency",
			Better: bench.Higher, Raw: raw, Machine: machine,
		})
	}
	return records, nil
}

// recoveredLatency is the part of the added latency that control takes back.
const recoveredLatency = "recovered_latency"

// raw returns the raw numbers of a group: its bars, and their conditions.
func (o Options) raw(s Samples, load float64, percent int) (map[string]float64, error) {
	task, other := o.Periods()
	raw := map[string]float64{
		"bus_service_ns": float64(o.Service), "host_load": load,
		"task_budget_ms": share(task, percent).Seconds() * 1e3, "task_period_ms": task.Seconds() * 1e3,
		"other_budget_ms": share(other, percent).Seconds() * 1e3, "other_period_ms": other.Seconds() * 1e3,
	}
	noted := bench.Record{Raw: raw}
	noted.Repeated(len(s[group(percent)+"."+alone]), o.Repeats)
	for _, bar := range o.bars() {
		name := group(percent) + "." + bar
		if len(s[name]) == 0 {
			return nil, fmt.Errorf("no measurement is named %s", name)
		}
		bench.Spread(raw, bar+"_writes_per_s", s[name])
		for _, figure := range allFigures {
			if len(s[name+figure]) == 0 {
				return nil, fmt.Errorf("no figure is named %s%s", name, figure)
			}
			raw[bar+"_"+figure[1:]] = bench.Quantile(s[name+figure], 0.5)
		}
	}
	// A busy host does not falsify the latency.
	latency := func(bar string) float64 { return raw[bar+"_"+latencies[1:]] }
	if !o.Fits && latency(vlibos) > latency(alone) {
		raw[recoveredLatency] = (latency(vlibos) - latency(called)) / (latency(vlibos) - latency(alone))
	}
	if o.Fits {
		return raw, nil
	}
	raw["batch_work"] = raw[called+"_"+batchRate[1:]] / raw[vlibos+"_"+batchRate[1:]]
	return raw, nil
}

// recovered returns, for each repeat, the part of the other's slowdown that
// control gives back. Repeats without a slowdown are left out; if there are many
// of them, that is an error.
func (s Samples) recovered(group, uncontrolled, controlled string) ([]float64, error) {
	a, u, c := s[group+"."+alone], s[group+"."+uncontrolled], s[group+"."+controlled]
	if len(a) == 0 || len(u) != len(a) || len(c) != len(a) {
		return nil, fmt.Errorf("%s: %d figures alone, %d %s, %d %s", group, len(a), len(u), uncontrolled, len(c), controlled)
	}
	var ratios []float64
	for i := range a {
		if a[i] > u[i] {
			ratios = append(ratios, (c[i]-u[i])/(a[i]-u[i]))
		}
	}
	if 2*len(ratios) <= len(a) {
		return nil, fmt.Errorf("%s: in %d of %d repeats the task was slower beside the other (%s) than alone: "+
			"so there is no contention; the emulator needs two free CPUs", group, len(ratios), len(a), uncontrolled)
	}
	return ratios, nil
}
