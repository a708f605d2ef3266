// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package linux

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/vlibos/vlibos/bench/mjump"
	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/throttle/model"
	"github.com/vlibos/vlibos/throttle/uncore"
)

// The path at which the lab's test puts the program.
const program = "/usr/bin/mjump"

// unit is a unit of occupancy of the emulated arbiter in nanoseconds
// (lab/processor/emulator/models.c).
const unit = 0.5

// bus has the truth about what the counters count.
func bus(t *testing.T) func() (all model.Counters) {
	t.Helper()
	b, err := model.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return func() (all model.Counters) {
		for cpu := range b.CPUs() {
			c, err := b.Read(cpu)
			if err != nil {
				t.Fatal(err)
			}
			all = all.Add(c)
		}
		return all
	}
}

// The kernel's own driver reads the processor's counters; the bus' device has the truth. A
// kind with one counter has it for each of two events in turn, so that its latency is right
// and its counts are of a part of the time.
func TestPerfsCountersCountTheBus(t *testing.T) {
	truth := bus(t)
	s, err := uncore.Open([]int{0, 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var c throttle.Counters
	read := func() (requests, occupancy uint64) {
		if err := s.Read(&c); err != nil {
			t.Fatal(err)
		}
		for _, u := range c.Units {
			requests, occupancy = requests+u.Requests, occupancy+u.Occupancy
		}
		return requests, occupancy
	}
	var requests, occupancy uint64
	var before model.Counters
	const budget = 500 * time.Millisecond
	if _, err := (mjump.Task{Budget: budget, Period: budget, Jobs: 4}).Run(t.Context(), program, func() error { return nil }, func() error {
		before = truth()
		requests, occupancy = read()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	r, o := read()
	requests, occupancy = r-requests, o-occupancy
	real := truth().Since(before)
	latency := unit * float64(occupancy) / float64(requests)
	t.Logf("%s, %d units: %d requests, %d of occupancy, %.0f ns each; on the bus %d, %v, %v each",
		s.Name(), len(c.Units), requests, occupancy, latency, real.Requests, real.Occupancy, real.Latency())
	for _, cpu := range c.CPUs {
		t.Logf("CPU %d: %d misses of %d bits", cpu.ID, cpu.Requests, cpu.Width)
	}
	if real.Requests < 1000 || requests == 0 {
		t.Fatal("too few requests")
	}
	if apart := math.Abs(latency/float64(real.Latency()) - 1); apart > 0.05 {
		t.Errorf("the latency is %.1f %% apart", 100*apart)
	}
	all := float64(requests) / float64(real.Requests)
	if all > 1.02 || all < 0.4 {
		t.Errorf("%.2f of the requests are counted", all)
	}
}

// Closed over perf's counters, the throttle takes background time from a cgroup that keeps
// memory busy beside another, and from no other; it ends with the load.
func TestThrottleOverPerfTakesLeftoverTime(t *testing.T) {
	truth := bus(t)
	// A turn is 10 us. Two CPUs wait for one another.
	const turns = 10 * time.Microsecond / time.Nanosecond / 2 * 4 // a turn in the counter's unit, twice
	d := serve(t, fmt.Sprintf("[throttle]\nsource = \"uncore\"\npolicy = \"threshold\"\nthreshold_ns = %d\nperiod = \"50ms\"\ncpus = [1]\n",
		turns*115/200))
	_ = d
	rate := func() float64 {
		before, begin := truth(), time.Now()
		time.Sleep(2 * time.Second)
		return float64(truth().Since(before).Requests) / time.Since(begin).Seconds()
	}
	throttle := func() api.Throttle {
		h := status(t)
		if h.Throttle == nil {
			t.Fatal("nothing is throttled")
		}
		return *h.Throttle
	}
	t.Logf("at rest: %v", throttle())
	run(t, "batch", "taskset", "-c", "1", program, mjump.Batch)
	t.Logf("batch alone: %.0f requests a second; %v", rate(), throttle())
	run(t, "victim", "taskset", "-c", "0", program, mjump.Batch)
	var last api.Throttle
	testkit.Eventually(t, "CPU 1 to idle", func() bool {
		last = throttle()
		return last.State == api.ThrottleClosed && len(last.CPUs) == 1 && last.CPUs[0].Idle > 0
	})
	t.Logf("both: %.0f requests a second; %v", rate(), throttle())
	if last.Health == "" || last.Latency <= 0 {
		t.Errorf("%+v", last)
	}
	h := status(t)
	for _, dom := range h.Domains {
		t.Logf("%s: %+v", dom.Name, dom)
	}
}
