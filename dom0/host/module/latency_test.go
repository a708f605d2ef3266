// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"testing"
	"time"

	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// fakeCounters move by the same each time, and wrap.
type fakeCounters struct {
	n   uint64
	err error
}

func (f *fakeCounters) Counters(cpu int) (vlib.Counters, error) {
	f.n++
	mask := uint64(1)<<40 - 1
	base := mask - 10_000
	return vlib.Counters{
		CPU: cpu, Kind: vlib.CountersIntelARB, Width: 40, Time: time.Duration(f.n) * time.Millisecond,
		Requests: (base + 1000*f.n) & mask, Occupancy: (base + 70_000*f.n) & mask, Misses: 100 * f.n * uint64(cpu), MissesWidth: 48,
	}, f.err
}

func TestLatencyOfTheModule(t *testing.T) {
	f := &fakeCounters{}
	if _, err := Latency(f, vlib.CountersNone, []int{1}); !errors.Is(err, throttle.ErrNoSource) {
		t.Error(err)
	}
	if _, err := Latency(f, vlib.CountersIntelARB, nil); !errors.Is(err, throttle.ErrNoSource) {
		t.Error(err)
	}
	s, err := Latency(f, vlib.CountersIntelARB, []int{1, 3})
	if err != nil {
		t.Fatal(err)
	}
	var m throttle.Meter
	for i := range 20 {
		got, err := m.Take(s)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			continue
		}
		if got.Health != throttle.Good || got.Latency != 70 || got.Traffic != throttle.Counted || got.CPUs[1].ID != 3 || got.CPUs[1].Traffic != 3*got.CPUs[0].Traffic {
			t.Errorf("reading %d: %+v", i, got)
		}
	}
	f.err = vlib.ErrNoCPU
	if got, err := m.Take(s); !errors.Is(err, vlib.ErrNoCPU) || got.Health != throttle.Failed {
		t.Errorf("%+v, %v", got, err)
	}
}
