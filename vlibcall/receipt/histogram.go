// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"encoding/json"
	"math/bits"
	"time"
)

// A histogram is log-linear, as HDR histograms are: eight buckets for each
// power of two. Bucket 0 is for 0 ns, the next eight for 1 to 8 ns. Each
// further one has the times above the edge of the one before it, up to its own
// edge. The last has no upper end.
const (
	perOctave = 8
	octaves   = 40 // from 8 ns to 2^43 ns, 2 hours and 26 minutes
	buckets   = 1 + perOctave + perOctave*octaves
)

// bucketOf is the bucket for a time.
func bucketOf(d time.Duration) int {
	if d <= 0 {
		return 0
	}
	v := uint64(d) - 1
	if v < perOctave {
		return int(v) + 1
	}
	shift := bits.Len64(v) - 4 // so that four bits are left, the first of them 1
	return min(shift*perOctave+int(v>>shift)+1, buckets-1)
}

// edge is the largest time of a bucket; for the last one, the smallest time
// beyond.
func edge(bucket int) time.Duration {
	if bucket <= perOctave {
		return time.Duration(bucket)
	}
	n := bucket - 1
	shift := n/perOctave - 1
	return time.Duration(uint64(n%perOctave+perOctave+1) << shift)
}

// value represents all times of a bucket. It is the harmonic mean of its ends,
// which minimises the error: at most a 17th.
func value(bucket int) time.Duration {
	if bucket <= perOctave {
		return time.Duration(bucket)
	}
	low, high := float64(edge(bucket-1)+1), float64(edge(bucket))
	return time.Duration(2*low*high/(low+high) + 0.5)
}

// Histogram counts durations by size.
type Histogram struct {
	Sum    time.Duration // exact; the largest possible if it would overflow
	counts [buckets]uint64
}

// Count is the number of durations.
func (h *Histogram) Count() uint64 {
	var n uint64
	for _, c := range h.counts {
		n = add(n, c)
	}
	return n
}

// Quantile is the time that a share q of all durations did not exceed, with an
// error of at most 6 %; 0 if there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	n := h.Count()
	if n == 0 {
		return 0
	}
	rank := min(uint64(q*float64(n)), n-1)
	var seen uint64
	for i, c := range h.counts {
		if seen = add(seen, c); seen > rank {
			return value(i)
		}
	}
	return value(buckets - 1)
}

// Below is the number of durations of at most 2^power nanoseconds: exact, since
// that is an edge.
func (h *Histogram) Below(power int) uint64 {
	var n uint64
	for i := 0; i < buckets-1 && edge(i) <= 1<<power; i++ {
		n = add(n, h.counts[i])
	}
	return n
}

// Since is what was added to h since earlier.
func (h Histogram) Since(earlier Histogram) Histogram {
	h.Sum = max(h.Sum-earlier.Sum, 0)
	for i, c := range earlier.counts {
		h.counts[i] -= min(c, h.counts[i])
	}
	return h
}

// Plus is the sum of both.
func (h Histogram) Plus(other Histogram) Histogram {
	h.Sum = sum(h.Sum, other.Sum)
	for i, c := range other.counts {
		h.counts[i] = add(h.counts[i], c)
	}
	return h
}

type histogramJSON struct {
	Sum   time.Duration `json:"sum_ns"`
	Count uint64        `json:"count"`
	// Each with the largest time of a bucket in nanoseconds, and how many
	// were in it. Empty buckets are not there.
	Buckets [][2]uint64 `json:"buckets"`
}

// MarshalJSON writes sum_ns, count, and buckets: pairs of a bucket's upper edge
// in nanoseconds and its count, without those that are empty.
func (h Histogram) MarshalJSON() ([]byte, error) {
	j := histogramJSON{Sum: h.Sum, Count: h.Count(), Buckets: [][2]uint64{}}
	for i, c := range h.counts {
		if c != 0 {
			j.Buckets = append(j.Buckets, [2]uint64{uint64(edge(i)), c})
		}
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Histogram) UnmarshalJSON(b []byte) error {
	var j histogramJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*h = Histogram{Sum: j.Sum}
	for _, pair := range j.Buckets {
		i := bucketOf(time.Duration(min(pair[0], uint64(edge(buckets-1)))))
		h.counts[i] = add(h.counts[i], pair[1])
	}
	return nil
}

// add saturates: a counter that wraps would seem to go backwards.
func add(a, b uint64) uint64 {
	if s := a + b; s >= a {
		return s
	}
	return 1<<64 - 1
}

// sum of two times that are not negative.
func sum(a, b time.Duration) time.Duration {
	if s := a + b; s >= a {
		return s
	}
	return 1<<63 - 1
}
