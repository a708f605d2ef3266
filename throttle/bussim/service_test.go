// SPDX-License-Identifier: Apache-2.0

package bussim

import (
	"math"
	"slices"
	"testing"
	"time"
)

// answers returns the latencies of a second of a service, beside another core or alone.
func answers(s Service, seed uint64, beside bool) []time.Duration {
	m := New(100*time.Nanosecond, Core{Foreground: true, Service: &s}, Core{Parallel: 4})
	m.Seed(seed)
	m.Switch(1, beside)
	for range 100 {
		m.Run(10*time.Millisecond, []float64{0})
	}
	return m.Latencies(0)
}

func mean(all []time.Duration) float64 {
	var sum time.Duration
	for _, l := range all {
		sum += l
	}
	return float64(sum) / float64(len(all))
}

// Alone, a service that hardly ever has two requests takes the time of its own work.
func TestServiceAloneTakesTheTimeOfItsWork(t *testing.T) {
	const turn = 100 * time.Nanosecond
	s := Service{Rate: 500, Accesses: []int{50, 150}, Think: []time.Duration{10 * time.Microsecond, 30 * time.Microsecond}}
	all := answers(s, 1, false)
	if n := len(all); n < 400 || n > 600 {
		t.Errorf("%d requests in a second at 500 a second", n)
	}
	if least := slices.Min(all); least < 50*turn {
		t.Errorf("a request with at least 50 accesses took %v", least)
	}
	// 10 µs of memory and 20 of computing, and a queue of one request in 60 or so.
	if m := mean(all); math.Abs(m-30_000) > 3000 {
		t.Errorf("mean %.0f ns, want 30000", m)
	}
}

// Requests wait as queueing theory says of random arrivals and equal work (M/D/1): half
// of the work at half of the load.
func TestRequestsWaitForEarlierOnes(t *testing.T) {
	s := Service{Rate: 50_000, Accesses: []int{100}, Think: []time.Duration{0}}
	if m := mean(answers(s, 1, false)); math.Abs(m-15_000) > 500 {
		t.Errorf("mean %.0f ns, want 15000", m)
	}
}

// The same requests arrive beside another program, which slows them down.
func TestRequestsDependOnTheSeedAlone(t *testing.T) {
	s := Service{Rate: 2000, Accesses: []int{50, 150}, Think: []time.Duration{10 * time.Microsecond}}
	alone, again, other, beside := answers(s, 1, false), answers(s, 1, false), answers(s, 2, false), answers(s, 1, true)
	if !slices.Equal(alone, again) || slices.Equal(alone, other) {
		t.Error("a seed does not determine the requests")
	}
	if d := len(alone) - len(beside); d < -1 || d > 1 {
		t.Errorf("%d requests alone, %d beside another program", len(alone), len(beside))
	}
	for i := range min(len(alone), len(beside)) {
		if beside[i] < alone[i] {
			t.Fatalf("request %d took %v alone, %v beside another program", i, alone[i], beside[i])
		}
	}
}
