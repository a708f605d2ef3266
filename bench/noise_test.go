// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"strings"
	"testing"
)

func TestNothingIsConcludedFromNoise(t *testing.T) {
	ratio := func(value, low, high float64, raw ...any) Record {
		r := Record{Value: value, Target: Goal(2), Better: Lower, Raw: map[string]float64{"ratio_low": low, "ratio_high": high}}
		for i := 0; i < len(raw); i += 2 {
			r.Raw[raw[i].(string)] = raw[i+1].(float64)
		}
		return r
	}
	for _, c := range []struct {
		name   string
		record Record
		want   string
	}{
		{"no target", Record{Value: 5}, ""},
		{"no repeats, no noise", Record{Value: 5, Target: Goal(2), Better: Lower}, "missed"},
		{"all below", ratio(1.5, 1.4, 1.9), "met"},
		{"all above", ratio(3, 2.1, 4), "missed"},
		{"just at it", ratio(2, 1.9, 2), "met"},
		{"both sides", ratio(1.9, 1.5, 2.5), "no conclusion, the target lies in the median's interval: 1.5 to 2.5"},
		{"quiet", ratio(1.5, 1.4, 1.9, noiseCompute, 9.9, noiseMemory, 29.0, noiseSteal, 0.0), "met"},
		{"arithmetic", ratio(1.5, 1.4, 1.9, noiseCompute, 40.0), "no conclusion, the machine was too noisy: the same arithmetic"},
		{"memory", ratio(1.5, 1.4, 1.9, noiseMemory, 31.0), "no conclusion, the machine was too noisy: the same walk"},
		{"steal", ratio(3, 2.1, 4, noiseSteal, 6.0), "no conclusion, the machine was too noisy: 6 % of"},
	} {
		got := c.record.Conclusion()
		if !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestWatchMeasuresNoiseAroundAnExperiment(t *testing.T) {
	ran := false
	n, err := Watch(t.Context(), func(context.Context) error { ran = true; return nil })
	if err != nil || !ran {
		t.Fatal(err, ran)
	}
	if n.Compute < 0 || n.Memory < 0 || n.Steal < 0 || n.Steal > 100 {
		t.Errorf("%+v", n)
	}
	r := n.Note(Record{})
	if _, ok := r.Raw[noiseMemory]; !ok || len(r.Raw) != 3 {
		t.Errorf("%+v", r.Raw)
	}
	t.Logf("%+v", n)
}
