// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// scripted is a policy that follows a script.
type scripted struct {
	name   string
	decide func(s *Sample, idle []float64)
}

func (p scripted) Name() string                     { return p.name }
func (p scripted) Decide(s *Sample, idle []float64) { p.decide(s, idle) }
func (p scripted) Reset()                           {}

func always(v float64) Policy {
	return scripted{"always", func(_ *Sample, idle []float64) {
		for i := range idle {
			idle[i] = v
		}
	}}
}

func slow(latency float64) *Sample {
	return &Sample{Span: time.Millisecond, Latency: latency, Traffic: Counted, CPUs: []CPU{{0, 1e6}, {1, 4e6}}}
}

func TestMisbehavingPolicyIsDropped(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	for name, c := range map[string]struct {
		decide func(s *Sample, idle []float64)
		want   string
	}{
		"panics":   {func(*Sample, []float64) { panic("oh") }, "panicked: oh"},
		"too much": {func(_ *Sample, idle []float64) { idle[1] = 1.001 }, "idle share of 1.001 for CPU 1"},
		"negative": {func(_ *Sample, idle []float64) { idle[0] = -1e-9 }, "idle share of -1e-09 for CPU 0"},
		"NaN":      {func(_ *Sample, idle []float64) { idle[0] = math.NaN() }, "idle share of NaN"},
		"hangs":    {func(*Sample, []float64) { <-hang }, "no decision within 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			var reports []error
			c0 := NewController(scripted{"bad", c.decide}, time.Second, func(err error) { reports = append(reports, err) }, always(0.5))
			defer c0.Close()
			if got := c0.Decide(slow(100)); got[0] != 0 || got[1] != 0 {
				t.Errorf("it throttles by %v", got)
			}
			if len(reports) != 1 || !errors.Is(reports[0], ErrPolicy) || !strings.Contains(reports[0].Error(), c.want) {
				t.Errorf("reports %v, want %q", reports, c.want)
			}
			if got := c0.Decide(slow(100)); got[0] != 0.5 || c0.Policy() != "always" {
				t.Errorf("%s decides %v", c0.Policy(), got)
			}
		})
	}
}

func TestWithoutFallbackNothingIsThrottled(t *testing.T) {
	reports := 0
	c := NewController(always(2), time.Second, func(error) { reports++ })
	defer c.Close()
	for range 3 {
		if got := c.Decide(slow(100)); got[0] != 0 {
			t.Errorf("%v", got)
		}
	}
	if reports != 1 || c.Policy() != "none" {
		t.Errorf("%d reports, policy %s", reports, c.Policy())
	}
}

func TestNothingIsThrottledWithoutGoodSamples(t *testing.T) {
	for _, name := range Policies {
		p, err := New(name, Params{Threshold: 100, Budget: 1e6})
		if err != nil {
			t.Fatal(err)
		}
		c := NewController(p, time.Minute, func(err error) { t.Error(err) })
		for range 50 {
			c.Decide(slow(1000))
		}
		if got := c.Decide(slow(1000))[1]; name != "none" && got < 0.5 {
			t.Errorf("%s: idle %v at ten times the latency", name, got)
		}
		before := append([]float64(nil), c.Decide(slow(1000))...)
		quiet := slow(0)
		quiet.Health = Quiet
		if got := c.Decide(quiet); !slices.Equal(got, before) {
			t.Errorf("%s: idle %v in a quiet period, %v before", name, got, before)
		}
		for h := Warming; h <= Failed; h++ {
			s := slow(1000)
			s.Health = h
			if got := c.Decide(s); got[0] != 0 || got[1] != 0 {
				t.Errorf("%s, %v: idle %v", name, h, got)
			}
		}
		if name != "rate" { // which does not use latency
			if got := c.Decide(slow(10)); got[1] != 0 {
				t.Errorf("%s remembers what it reset: %v", name, got)
			}
		}
		c.Close()
	}
}

func TestSwappedPolicyDecidesFromTheNextSample(t *testing.T) {
	c := NewController(always(0.1), time.Minute, func(err error) { t.Error(err) })
	defer c.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 200 {
			c.Swap(always(float64(i%10)/10), always(0))
		}
		c.Swap(always(0.7))
	}()
	for swapping := true; swapping; {
		select {
		case <-done:
			swapping = false
		default:
			c.Decide(slow(100))
		}
	}
	if got := c.Decide(slow(100)); got[0] != 0.7 {
		t.Errorf("%v", got)
	}
}

// Any sample gives valid shares, and more traffic never idles less.
func TestAnySampleGivesValidShares(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	// The range that a meter accepts.
	figure := func(most float64) float64 {
		switch r.IntN(6) {
		case 0:
			return 0
		case 1:
			return most
		case 2:
			return math.SmallestNonzeroFloat64
		}
		return min(math.Exp(r.Float64()*60-20), most)
	}
	for range 300 {
		for _, name := range Policies {
			p, err := New(name, Params{Threshold: 1 + 1000*r.Float64(), Budget: 1 + 1e9*r.Float64(), Most: 1 - r.Float64()*0.9})
			if err != nil {
				t.Fatal(err)
			}
			c := NewController(p, time.Minute, func(err error) { t.Errorf("%s: %v", name, err) })
			n := 1 + r.IntN(8)
			for range 30 {
				if r.IntN(10) == 0 {
					n = 1 + r.IntN(8)
				}
				s := &Sample{Latency: figure(Longest), Traffic: Traffic(r.IntN(2)), Health: Health(r.IntN(8) / 7), CPUs: make([]CPU, n)}
				for i := range s.CPUs {
					s.CPUs[i] = CPU{i, figure(fastest)}
				}
				c.Decide(s)
			}
			c.Close()
		}
	}
}

func TestMoreTrafficIdlesLonger(t *testing.T) {
	for _, name := range []string{"threshold", "feedback", "rate"} {
		p, err := New(name, Params{Threshold: 100, Budget: 5e5})
		if err != nil {
			t.Fatal(err)
		}
		idle := []float64{0, 0}
		p.Decide(slow(150), idle)
		if !(idle[0] > 0 && idle[1] > idle[0]) {
			t.Errorf("%s: %v for 1 and 4 million requests", name, idle)
		}
	}
}

// Unused budgets go to CPUs that need more.
func TestRateReclaimsUnusedBudget(t *testing.T) {
	p := &rate{budget: 2e6, most: 1}
	idle := []float64{0, 0}
	p.Decide(&Sample{Traffic: Counted, CPUs: []CPU{{0, 1e6}, {1, 4e6}}}, idle)
	if idle[0] != 0 || math.Abs(idle[1]-0.25) > 1e-9 {
		t.Errorf("%v: CPU 1 has its 2 million and a million of CPU 0", idle)
	}
	p.Decide(&Sample{CPUs: []CPU{{0, 1}, {1, 1}}}, idle)
	if idle[0] != 0 || idle[1] != 0 {
		t.Errorf("%v without counted traffic", idle)
	}
}

func TestInvalidPolicyParametersAreRefused(t *testing.T) {
	for name, p := range map[string]Params{
		"threshold": {}, "feedback": {Threshold: 2e6}, "rate": {Threshold: 100}, "paper": {Threshold: 100}, "none": {Most: 1.5},
	} {
		if _, err := New(name, p); err == nil {
			t.Errorf("%s with %+v is accepted", name, p)
		}
	}
}

// The cost of a decision for 64 CPUs, a thousand times a second, in per cent of
// a core.
func BenchmarkDecision(b *testing.B) {
	s := slow(150)
	s.CPUs = make([]CPU, 64)
	for i := range s.CPUs {
		s.CPUs[i] = CPU{i, float64(i) * 1e5}
	}
	for _, name := range Policies {
		b.Run(name, func(b *testing.B) {
			p, err := New(name, Params{Threshold: 100, Budget: 1e6})
			if err != nil {
				b.Fatal(err)
			}
			c := NewController(p, time.Minute, func(err error) { b.Error(err) })
			defer c.Close()
			b.ReportAllocs()
			for b.Loop() {
				s.Latency = 250 - s.Latency
				c.Decide(s)
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(time.Millisecond)*100, "%core")
		})
	}
}
