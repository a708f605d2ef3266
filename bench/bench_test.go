// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestVerdictComparesTheValueWithItsTarget(t *testing.T) {
	for _, c := range []struct {
		value  float64
		target *float64
		better Better
		want   string
	}{
		{1, Goal(1), Lower, "met"},
		{1.01, Goal(1), Lower, "missed"},
		{0.7, Goal(0.7), Higher, "met"},
		{0.69, Goal(0.7), Higher, "missed"},
		{0, Goal(0), Lower, "met"},
		{5, nil, Lower, ""},
	} {
		if got := (Record{Value: c.value, Target: c.target, Better: c.better}).Verdict(); got != c.want {
			t.Errorf("%v against %v, %s: %q, want %q", c.value, c.target, c.better, got, c.want)
		}
	}
}

func TestReadReturnsTheLatestRecordOfEachName(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out", "bench.jsonl")
	first := Record{Name: "call.a", Value: 3, Unit: "ratio", Target: Goal(2), Better: Lower, Raw: map[string]float64{"x_ns": 1.5}}
	other := Record{Name: "call.b", Value: 1, Unit: "ratio", Better: Higher}
	again := first
	again.Value = 1.5
	for _, r := range []Record{first, other, again} {
		if err := Append(file, r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Name != "call.a" || got[0].Value != 1.5 || *got[0].Target != 2 || got[1].Target != nil {
		t.Errorf("read back %+v", got)
	}
	if got[0].Machine == "" {
		t.Error("the machine is not named")
	}
	var out bytes.Buffer
	if err := Table(&out, got); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"call.a  1.5    ratio  ≤ 2     met", "call.b  1      ratio  -", "x_ns 1.5"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func TestAppendRefusesIncompleteRecords(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bench.jsonl")
	zero := 0.0
	for _, r := range []Record{
		{Name: "call.a", Value: 1, Unit: "ratio"},
		{Name: "call.a", Value: 1, Better: Lower},
		{Name: "call.a", Value: 1 / zero, Unit: "ratio", Better: Lower},
	} {
		if Append(file, r) == nil {
			t.Errorf("%+v was accepted", r)
		}
	}
}

func TestInterleaveMeasuresForwardsAndBackwards(t *testing.T) {
	var order []string
	part := func(name string, v float64) Part {
		n := 0.0
		return Part{name, func(context.Context) (float64, error) {
			order = append(order, name)
			n += v
			return n, nil
		}}
	}
	s, err := Interleave(context.Background(), 2, []Part{part("a", 2), part("b", 1)})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, ""); got != "abbaabba" {
		t.Errorf("order %s", got)
	}
	if want := []float64{2, 2}; !slices.Equal(s.Ratio("a", "b"), want) {
		t.Errorf("ratios %v", s.Ratio("a", "b"))
	}
	if got := s.Median("b"); got != 2.5 {
		t.Errorf("median %v", got)
	}
}

func TestQuantileIsLinearBetweenNeighbours(t *testing.T) {
	figures := []float64{5, 1, 3, 2, 4}
	for q, want := range map[float64]float64{0: 1, 0.5: 3, 1: 5, 0.125: 1.5} {
		if got := Quantile(figures, q); got != want {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
}

// A failed comparison keeps its complete repeats, and nothing is concluded from them.
func TestAFailedComparisonKeepsCompleteRepeats(t *testing.T) {
	n := 0
	broke := errors.New("it broke")
	s, err := Interleave(t.Context(), 10, []Part{{"a", func(context.Context) (float64, error) {
		if n++; n == 6 {
			return 0, broke
		}
		return 1, nil
	}}, {"b", func(context.Context) (float64, error) { return 2, nil }}})
	if !errors.Is(err, broke) || len(s["a"]) != 2 || len(s["b"]) != 2 {
		t.Fatalf("%v, %v", s, err)
	}
	r := Record{Name: "x", Better: Lower, Target: Goal(1), Raw: make(map[string]float64)}
	r.Compare(s, "a", "b")
	r.Repeated(len(s["a"]), 10)
	if c := r.Conclusion(); !strings.Contains(c, "failed after 2 of 10 repeats") {
		t.Error(c)
	}
}
