// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
)

func curve(latencies ...float64) Curve {
	var c Curve
	for i, l := range latencies {
		c = append(c, Point{Load: float64(i) / float64(len(latencies)-1), Latency: l, Low: l * 0.99, High: l * 1.01})
	}
	return c
}

func TestThresholdIsTheKneeOrAQuarter(t *testing.T) {
	for name, c := range map[string]struct {
		curve Curve
		want  float64
		how   string
	}{
		"knee":             {curve(100, 105, 110, 120, 300), 120, "knee, at 75 %"},
		"even":             {curve(100, 125, 150, 175, 200), 125, "quarter"},
		"a step at once":   {curve(100, 190, 198, 199, 200), 125, "quarter"},
		"falls in the end": {curve(100, 104, 108, 200, 180), 108, "knee, at 50 %"},
		"a small knee":     {curve(100, 100.1, 100.2, 101, 150), 103.02, "just above"},
	} {
		got, how, err := c.curve.Threshold()
		if err != nil || math.Abs(got-c.want) > 1e-6 || !strings.Contains(how, c.how) {
			t.Errorf("%s: %v, %s, %v; want %v, %s", name, got, how, err, c.want, c.how)
		}
	}
	for name, c := range map[string]Curve{"flat": curve(100, 100, 101, 102, 102), "falling": curve(100, 90, 80)} {
		if ns, _, err := c.Threshold(); !errors.Is(err, ErrFlat) {
			t.Errorf("%s: %v, %v", name, ns, err)
		}
	}
	if _, _, err := curve(100, 200).Threshold(); err == nil {
		t.Error("two points are accepted as a curve")
	}
}

func TestCurveIsDrawnWithItsThreshold(t *testing.T) {
	var out bytes.Buffer
	if err := curve(100, 110, 400).Print(&out, 110); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 5 || !strings.Contains(lines[3], " 100%    400.0   396.0…404.0") || strings.Count(out.String(), "*") != 3 || !strings.HasPrefix(lines[0], " load  latency") {
		t.Errorf("\n%s", &out)
	}
}
