// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/vlibos/vlibos/bench"
)

// measurement is the result of one boot.
type measurement struct {
	Samples
	machine string
}

// measurements are by scheduler.
type measurements map[string]measurement

// records computes the records for which there are measurements.
func (m measurements) records() ([]bench.Record, error) {
	var records []bench.Record
	if vlib, ok := m[schedVlib]; ok && vlib.Samples[sampleCharged] != nil {
		ofModule, err := vlib.ofModule()
		if err != nil {
			return nil, err
		}
		records = ofModule
	}
	late := make(map[string]float64) // p99.9
	for _, scheduler := range schedulers {
		one, ok := m[scheduler]
		if !ok {
			continue
		}
		wakeups, p999, err := one.wakeups(scheduler)
		if err != nil {
			return nil, err
		}
		records = append(records, wakeups...)
		late[scheduler] = p999
	}
	vlib, stock := m[schedVlib], m[schedCredit2]
	if vlib.Samples != nil && stock.Samples != nil {
		records = append(records, bench.Record{
			Name: "sched.wakeup.ratio", Value: late[schedVlib] / late[schedCredit2], Unit: "ratio",
			Target: bench.Goal(0.5), Better: bench.Lower, Machine: vlib.machine + "; " + stock.machine,
			Raw: map[string]float64{"vlib_p999_us": late[schedVlib], "credit2_p999_us": late[schedCredit2]},
		})
	}
	if vlib.Samples[sampleBoot] != nil && stock.Samples[sampleBoot] != nil {
		both := vlib.machine + "; " + stock.machine
		network := make(map[string]float64)
		bench.Spread(network, "vlib_instructions", vlib.Samples[sampleTCP])
		bench.Spread(network, "stock_instructions", stock.Samples[sampleTCP])
		records = append(records, bench.Record{
			Name: "module.boot", Value: vlib.one(sampleBoot) / stock.one(sampleBoot), Unit: "ratio",
			Target: bench.Goal(1.2), Better: bench.Lower, Machine: both,
			Raw: map[string]float64{"vlib_instructions": vlib.one(sampleBoot), "stock_instructions": stock.one(sampleBoot)},
		}, bench.Record{
			Name: "module.network", Value: vlib.one(sampleTCP) / stock.one(sampleTCP), Unit: "ratio",
			Better: bench.Lower, Machine: both, Raw: network,
		})
	}
	return records, nil
}

// one returns a figure's only sample, or the median; NaN, which no record
// accepts, if there is none.
func (s Samples) one(name string) float64 {
	if len(s[name]) == 0 {
		return math.NaN()
	}
	return bench.Quantile(s[name], 0.5)
}

// spread adds the raw numbers of several figures.
func (s Samples) spread(raw map[string]float64, names ...string) {
	for _, name := range names {
		if len(s[name]) > 0 {
			bench.Spread(raw, name+"_instructions", s[name])
			raw[name+"_counts"] = float64(len(s[name]))
		}
	}
}

// ofModule returns the records of the module itself.
func (m measurement) ofModule() ([]bench.Record, error) {
	record := func(name string, value float64, unit string, target float64, raw map[string]float64) bench.Record {
		return bench.Record{Name: name, Value: value, Unit: unit, Target: bench.Goal(target), Better: bench.Lower, Raw: raw, Machine: m.machine}
	}
	pair, calls := make(map[string]float64), make(map[string]float64)
	m.spread(pair, sampleCall, sampleCallQueued, sampleCallRefused, sampleListen, sampleListenOpen, sampleDom0Xen, sampleGuestXen)
	two := m.one(sampleDom0Xen) + m.one(sampleGuestXen)
	pair["queued_and_next_ratio"] = (m.one(sampleCallQueued) + m.one(sampleListen)) / two
	pair["refused_and_open_ratio"] = (m.one(sampleCallRefused) + m.one(sampleListenOpen)) / two
	m.spread(calls, sampleGated, sampleBlockCPU, sampleBlock, sampleVchan)
	off := make(map[string]float64)
	m.spread(off, sampleGateCloses, samplePause)
	calls["ungated_ratio"] = m.one(sampleBlock) / m.one(sampleVchan)

	charged := 100 * math.Abs(m.one(sampleCharged)/m.one(sampleRan)-1)
	evader := 100 * math.Abs(m.one(sampleEvaderCharged)/m.one(sampleEvaderRan)-1)
	if len(m.Samples[sampleShare]) == 0 || len(m.Samples[sampleOvershoot]) == 0 {
		return nil, fmt.Errorf("there are no samples of shares")
	}
	shares, over := make(map[string]float64), make(map[string]float64)
	for i, share := range m.Samples[sampleShare] {
		shares[fmt.Sprintf("share_%v_per_cent", sharePeriods[i])] = share
	}
	for i, us := range m.Samples[sampleOvershoot] {
		over[fmt.Sprintf("period_%v_us", sharePeriods[i])] = us
	}
	return []bench.Record{
		record("module.call_listen", (m.one(sampleCall)+m.one(sampleListen))/two, "ratio", 1.6, pair),
		record("module.gated_call", m.one(sampleGated)/m.one(sampleVchan), "ratio", 0.6, calls),
		record("module.block_cpu_call", m.one(sampleBlockCPU)/m.one(sampleVchan), "ratio", 0.6, calls),
		{Name: "module.deschedule", Value: m.one(sampleGateCloses) / m.one(samplePause), Unit: "ratio", Better: bench.Lower, Raw: off, Machine: m.machine},
		record("charge.accuracy", charged, "%", 1, map[string]float64{
			"calls": chargedCalls, "charged_ns": m.one(sampleCharged), "background_ns": m.one(sampleCharged + background), "ran_ns": m.one(sampleRan)}),
		record("charge.evader", evader, "%", 1, map[string]float64{
			"periods": evasivePeriods, "charged_ns": m.one(sampleEvaderCharged), "background_ns": m.one(sampleEvaderCharged + background), "ran_ns": m.one(sampleEvaderRan)}),
		record("sched.share", math.Abs(m.Samples[sampleShare][0]-20), "points", 0.2, shares),
		record("sched.overshoot", slices.Max(m.Samples[sampleOvershoot]), "µs", 60, over),
	}, nil
}

// wakeups returns the records of one scheduler, and the least 99.9th percentile
// of the task's lateness over its settings: the median of the boots. Settings
// without a cap count only if the scheduler has no others.
func (m measurement) wakeups(scheduler string) ([]bench.Record, float64, error) {
	const p50, p999 = "p50", "p999"
	raw := map[string]float64{"wakes": taskWakes}
	best := make(map[string]float64)
	for _, s := range settings[scheduler] {
		late := make(map[string]float64)
		for _, q := range quantiles {
			boots := m.Samples[s.sample(q)]
			if len(boots) == 0 {
				return nil, 0, fmt.Errorf("there are no wake-ups under %s, %s", scheduler, s.name)
			}
			late[q] = m.one(s.sample(q)) / 1000
			raw["boots"] = float64(len(boots))
			raw[s.name+"_"+q+"_us"] = late[q]
			raw[s.name+"_"+q+"_least_us"] = slices.Min(boots) / 1000
			raw[s.name+"_"+q+"_most_us"] = slices.Max(boots) / 1000
		}
		if (s.name != uncapped || len(settings[scheduler]) == 1) && (len(best) == 0 || late[p999] < best[p999]) {
			best = late
		}
	}
	var records []bench.Record
	for _, q := range []string{p50, p999} {
		records = append(records, bench.Record{
			Name: "sched.wakeup." + scheduler + "." + q, Value: best[q], Unit: "µs", Better: bench.Lower,
			Raw: maps.Clone(raw), Machine: m.machine,
		})
	}
	return records, best[p999], nil
}
