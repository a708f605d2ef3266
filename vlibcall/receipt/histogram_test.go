// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func histogramOf(times ...time.Duration) (h Histogram) {
	for _, d := range times {
		h.counts[bucketOf(d)]++
		h.Sum += d
	}
	return h
}

// Each time is in the bucket whose edges enclose it, and the value of the
// bucket has at most the promised error.
func TestBucketsEncloseTheirTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(edge(buckets-1))).Draw(t, "d"))
		if rapid.Bool().Draw(t, "small") {
			d >>= uint(rapid.IntRange(0, 43).Draw(t, "by"))
		}
		i := bucketOf(d)
		if d > edge(i) || i > 0 && d <= edge(i-1) {
			t.Fatalf("%d is in bucket %d, above %d, up to %d", d, i, edge(i-1), edge(i))
		}
		if off := math.Abs(float64(value(i)-d)) / float64(max(d, 1)); off > 0.06 {
			t.Fatalf("%d stands for %d: %.1f %% off", value(i), d, 100*off)
		}
	})
	if edge(buckets-1) < time.Hour {
		t.Errorf("the largest time is %v", edge(buckets-1))
	}
	for d, want := range map[time.Duration]int{-1: 0, 0: 0, 1: 1, 8: 8, 9: 9, 16: 16, 17: 17, 18: 17, 19: 18, math.MaxInt64: buckets - 1} {
		if got := bucketOf(d); got != want {
			t.Errorf("%d is in bucket %d, want %d", d, got, want)
		}
	}
}

func TestQuantilesHaveTheirPrecision(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.SliceOfN(rapid.Int64Range(0, int64(2*time.Hour)), 1, 200).Draw(t, "ns")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		var times []time.Duration
		for _, n := range ns {
			times = append(times, time.Duration(n))
		}
		h := histogramOf(times...)
		slices.Sort(times)
		want := times[min(int(q*float64(len(times))), len(times)-1)]
		if got := h.Quantile(q); math.Abs(float64(got-want)) > 0.06*float64(max(want, 1)) {
			t.Fatalf("quantile %v of %v is %v, want %v", q, times, got, want)
		}
	})
	var none Histogram
	if none.Quantile(0.5) != 0 || none.Count() != 0 {
		t.Errorf("of nothing: %v", none.Quantile(0.5))
	}
}

func TestBelowIsExact(t *testing.T) {
	h := histogramOf(0, 1, 2, 1023, 1024, 1025, 1<<20, 1<<20+1, math.MaxInt64>>4)
	for power, want := range map[int]uint64{0: 2, 1: 3, 10: 5, 11: 6, 20: 7, 21: 8, 42: 8} {
		if got := h.Below(power); got != want {
			t.Errorf("up to 2^%d: %d, want %d", power, got, want)
		}
	}
}

func TestDifferenceNeverGoesBackwards(t *testing.T) {
	a := histogramOf(5, 100, 7000)
	b := a.Plus(histogramOf(100, 1<<30))
	if got := b.Since(a); got != histogramOf(100, 1<<30) {
		t.Errorf("%+v", got)
	}
	// A master that was restarted has less than before.
	if got := a.Since(b); got.Count() != 0 || got.Sum != 0 {
		t.Errorf("%d, %v", got.Count(), got.Sum)
	}
	full := Histogram{Sum: math.MaxInt64 - 1}
	full.counts[3] = math.MaxUint64
	if got := full.Plus(histogramOf(3, 9)); got.Sum != math.MaxInt64 || got.Count() != math.MaxUint64 {
		t.Errorf("it wraps: %d, %d", got.Sum, got.Count())
	}
}

func TestHistogramIsReadAsWritten(t *testing.T) {
	h := histogramOf(0, 1, 1000, 1000, 5*time.Second, 100*time.Hour)
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var back Histogram
	if err := json.Unmarshal(b, &back); err != nil || back != h {
		t.Errorf("%s: %v", b, err)
	}
	var lies Histogram
	if err := json.Unmarshal([]byte(`{"buckets":[[18446744073709551615,1],[5,18446744073709551615],[5,7]]}`), &lies); err != nil || lies.Count() != math.MaxUint64 {
		t.Errorf("%v, %d", err, lies.Count())
	}
}
