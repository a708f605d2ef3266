// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/throttle"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func open(t *testing.T, o Options) *Probe {
	t.Helper()
	p, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return p
}

// sample waits twice until the probe has followed that many lines.
func sample(t *testing.T, p *Probe, lines uint64) *throttle.Sample {
	t.Helper()
	m := &throttle.Meter{}
	wait := func(n uint64) {
		for end := time.Now().Add(time.Minute); p.lines.Load() < n; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d lines within a minute", p.lines.Load())
			}
		}
	}
	wait(lines)
	if _, err := m.Take(p); err != nil {
		t.Fatal(err)
	}
	wait(2 * lines)
	s, err := m.Take(p)
	if err != nil || s.Health != throttle.Good {
		t.Fatalf("%+v, %v", s, err)
	}
	return s
}

func TestProbeTellsMemoryFromCache(t *testing.T) {
	// Long bursts: in short ones each line would be new to a cache that others
	// use.
	cache := sample(t, open(t, Options{Buffer: MinBuffer, Duty: 0.3, Throttled: []int{1, 2}}), 200_000)
	memory := sample(t, open(t, Options{Throttled: []int{1, 2}}), 2000)
	t.Logf("a line of 4 KiB %.1f ns, of %d MiB %.1f ns", cache.Latency, DefaultBuffer(0)>>20, memory.Latency)
	if memory.Latency < 3*cache.Latency || cache.Latency <= 0 {
		t.Errorf("a line of the cache takes %v ns, one of memory %v", cache.Latency, memory.Latency)
	}
	if len(memory.CPUs) != 2 || memory.CPUs[1].ID != 2 || memory.Traffic != throttle.Equal {
		t.Errorf("%+v", memory)
	}
}

func TestProbeKeepsToItsDuty(t *testing.T) {
	p := open(t, Options{Buffer: 16 << 20})
	sample(t, p, 1000)
	time.Sleep(2 * time.Second)
	t.Logf("%s: costs %.2f %%", p.Describe(), 100*p.Cost())
	if cost := p.Cost(); cost <= 0 || cost > 1.5*DefaultDuty {
		t.Errorf("it costs %v of its CPU; at most %v is allowed", cost, DefaultDuty)
	}
}

func TestBurstsFitTheirCost(t *testing.T) {
	o := Options{Duty: 0.01, Interval: time.Millisecond}
	for _, c := range []struct {
		groups   int
		interval time.Duration
		cost     float64
		want     int
		wanted   time.Duration
	}{
		{100, time.Millisecond, 0.018, 50, time.Millisecond},
		{leastGroup, time.Millisecond, 0.5, leastGroup, 2 * time.Millisecond},
		{leastGroup, 8 * time.Millisecond, 0.002, leastGroup, 4 * time.Millisecond},
		{leastGroup, 8 * time.Millisecond, 0.008, leastGroup, 8 * time.Millisecond},
		{100, time.Millisecond, 0.0001, 150, time.Millisecond},
		{mostGroups, time.Millisecond, 0.0001, mostGroups, time.Millisecond},
	} {
		if got, interval := fit(c.groups, c.interval, c.cost, o); got != c.want || interval != c.wanted {
			t.Errorf("%+v: %d, %v", c, got, interval)
		}
	}
}

func TestDisturbedGroupsAreLeftOut(t *testing.T) {
	lines, sum := undisturbed([]time.Duration{900, 1000, 90_000, 1100, 1200})
	if lines != 4*group || sum != 4200 {
		t.Errorf("%d lines in %v", lines, sum)
	}
}

func TestInvalidOptionsAreRefused(t *testing.T) {
	for want, o := range map[string]Options{
		"CPU 1000": {CPU: 1000, Buffer: MinBuffer}, "buffer of 64": {Buffer: 64}, "duty of 0.9": {Duty: 0.9}, "every 1µs": {Interval: time.Microsecond},
	} {
		p, err := Open(o)
		if err == nil {
			t.Errorf("%+v is accepted", o)
			_ = p.Close()
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
