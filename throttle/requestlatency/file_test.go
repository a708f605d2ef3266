// SPDX-License-Identifier: Apache-2.0

package requestlatency

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vlibos/vlibos/throttle"
)

func TestBucketsCoverAllTimesInOrder(t *testing.T) {
	last := -1
	for n := uint64(0); n < 1<<62; n += n/33 + 1 {
		b := bucket(n)
		if b < last || b >= buckets {
			t.Fatalf("%d ns is in bucket %d, after %d", n, b, last)
		}
		last = b
		if b < buckets-1 && math.Abs(middle(b)-float64(n)) > float64(n)/16 {
			t.Errorf("%d ns is in bucket %d of %v ns", n, b, middle(b))
		}
	}
}

func file(t *testing.T) (string, *Writer) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "t")
	w, err := Create(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return name, w
}

func TestLatencyIsTheMeanOrAQuantile(t *testing.T) {
	for q, want := range map[float64]float64{0: 1990, 0.5: 1000, 0.98: 1000, 0.995: 100_000} {
		name, w := file(t)
		w.Add(1, time.Second) // before the first reading
		s, err := Open(name, q, []int{4})
		if err != nil {
			t.Fatal(err)
		}
		var m throttle.Meter
		if _, err := m.Take(s); err != nil {
			t.Fatal(err)
		}
		for range 99 {
			w.Add(10, 10*time.Microsecond)
		}
		w.Add(10, time.Millisecond)
		time.Sleep(time.Millisecond)
		got, err := m.Take(s)
		if err != nil || got.Health != throttle.Good || math.Abs(got.Latency-want) > want/16 || got.CPUs[0].ID != 4 {
			t.Errorf("quantile %v: %+v, %v; want %v ns", q, got, err, want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Requests that take longer than memory ever does are slow, and not a broken source,
// which would open the throttle.
func TestSlowRequestsAreTheLongestLatency(t *testing.T) {
	for _, q := range []float64{0, 0.5, 0.99} {
		name, w := file(t)
		s, err := Open(name, q, []int{4})
		if err != nil {
			t.Fatal(err)
		}
		var m throttle.Meter
		for range 3 {
			if _, err := m.Take(s); err != nil {
				t.Fatal(err)
			}
			w.Add(10, 10*time.Second)
			time.Sleep(time.Millisecond)
		}
		got, err := m.Take(s)
		if err != nil || got.Health != throttle.Good || got.Latency != throttle.Longest {
			t.Errorf("quantile %v: %+v, %v; want %v ns", q, got, err, throttle.Longest)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOtherFilesAreRefused(t *testing.T) {
	name, w := file(t)
	if _, err := Open(name, 1, nil); err == nil {
		t.Error("quantile 1 is accepted")
	}
	s, err := Open(name, 0.99, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	// A writer whose counters go back causes no overflow.
	w.page.times[7] = math.MaxUint64
	w.page.times[9] = math.MaxUint64
	var m throttle.Meter
	for range 3 {
		if _, err := m.Take(s); err != nil {
			t.Error(err)
		}
		w.page.times[7] -= 5
	}
	w.page.magic = 0
	if _, err := m.Take(s); !errors.Is(err, throttle.ErrNoSource) {
		t.Error(err)
	}
	if err := os.Truncate(name, 10); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Take(s); err == nil || got.Health != throttle.Failed {
		t.Errorf("%+v", got)
	}
}
