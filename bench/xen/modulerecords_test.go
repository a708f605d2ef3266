// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"strings"
	"testing"

	"github.com/vlibos/vlibos/bench"
)

// measuredOf is a boot with all measurements.
func measuredOf(scheduler string, late float64) measurement {
	s := Samples{
		sampleBoot: {1000}, sampleCall: {300}, sampleListen: {100}, sampleDom0Xen: {100}, sampleGuestXen: {100},
		sampleGated: {50}, sampleBlockCPU: {40}, sampleGateCloses: {30}, samplePause: {60}, sampleVchan: {100}, sampleTCP: {200}, sampleCharged: {101}, sampleCharged + background: {0}, sampleEvaderCharged + background: {1}, sampleRan: {100}, sampleEvaderCharged: {98}, sampleEvaderRan: {100},
		sampleShare: {19.9, 20, 20, 20}, sampleOvershoot: {5, 50, 7, 8},
	}
	for i, set := range settings[scheduler] {
		ns := late / float64(i+1)
		for j, q := range quantiles {
			median := ns / 4 * float64(int(1)<<j)
			s[set.sample(q)] = []float64{median / 2, 9 * median, median} // three boots
		}
	}
	return measurement{s, scheduler}
}

func TestModuleRecordsCompareTheBestSettings(t *testing.T) {
	records, err := measurements{
		schedVlib: measuredOf(schedVlib, 6000), schedCredit2: measuredOf(schedCredit2, 60000), schedRTDS: measuredOf(schedRTDS, 30000),
	}.records()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]bench.Record)
	for _, r := range records {
		got[r.Name] = r
	}
	for name, want := range map[string]float64{
		"module.call_listen": 2, "module.gated_call": 0.5, "module.block_cpu_call": 0.4, "module.deschedule": 0.5, "sched.overshoot": 50, "module.boot": 1, "module.network": 1,
		"sched.wakeup.vlib.p999": 6, "sched.wakeup.rtds.p50": 7.5,
		// The better of its two caps, not the setting without a cap.
		"sched.wakeup.credit2.p999": 20, "sched.wakeup.ratio": 0.3,
	} {
		if got[name].Value != want {
			t.Errorf("%s: %v, want %v", name, got[name].Value, want)
		}
	}
	if v := got["charge.evader"].Value; v < 1.99 || v > 2.01 {
		t.Errorf("charge.evader: %v", v)
	}
	if len(records) != 17 {
		t.Errorf("%d records", len(records))
	}
}

// Without its samples a record is an error.
func TestMissingMeasurementIsAnError(t *testing.T) {
	if _, err := (measurements{schedRTDS: {Samples{}, ""}}).records(); err == nil {
		t.Error("a boot without wake-ups is accepted")
	}
	wakeups := measuredOf(schedVlib, 1000)
	for name := range wakeups.Samples {
		if !strings.HasPrefix(name, sampleWakeup) {
			delete(wakeups.Samples, name)
		}
	}
	if alone, err := (measurements{schedVlib: wakeups, schedCredit2: measuredOf(schedCredit2, 1000)}).records(); err != nil || len(alone) != 5 {
		t.Errorf("wake-ups alone: %+v, %v", alone, err)
	}
	only, err := measurements{schedRTDS: measuredOf(schedRTDS, 1000)}.records()
	if err != nil || len(only) != 2 {
		t.Errorf("%+v, %v", only, err)
	}
}
