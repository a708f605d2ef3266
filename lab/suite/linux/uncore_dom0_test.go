// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package linux

import (
	"fmt"
	"math"
	"strings"
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
// memory busy beside another one. It takes none from it alone.
func TestThrottleOverPerfTakesLeftoverTime(t *testing.T) {
	b, err := model.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const (
		victimCPU, batchCPU = 0, 1
		service             = 10 * time.Microsecond // a turn on the bus (lab/linux_test.go)
		threshold           = 1.3 * float64(service) / unit
	)
	serve(t, fmt.Sprintf("[throttle]\nsource = \"uncore\"\npolicy = \"threshold\"\nthreshold_ns = %.0f\nperiod = \"50ms\"\ncpus = [%d]\n", threshold, batchCPU))
	throttle := func() api.Throttle {
		h := status(t)
		if h.Throttle == nil {
			t.Fatal("nothing is throttled")
		}
		return *h.Throttle
	}
	// measure returns each CPU's requests a second, and how long one takes.
	measure := func(what string) (rate, latency [2]float64) {
		t.Helper()
		var before [2]model.Counters
		read := func(cpu int) model.Counters {
			c, err := b.Read(cpu)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		for cpu := range before {
			before[cpu] = read(cpu)
		}
		begin := time.Now()
		time.Sleep(3 * time.Second)
		for cpu := range before {
			c := read(cpu).Since(before[cpu])
			rate[cpu] = float64(c.Requests) / time.Since(begin).Seconds()
			if c.Requests > 0 {
				latency[cpu] = float64(c.Latency())
			}
		}
		t.Logf("%s: requests a second %.0f and %.0f, of %.0f and %.0f ns; %v", what, rate[0], rate[1], latency[0], latency[1], throttle())
		return rate, latency
	}
	run(t, "batch", "taskset", "-c", fmt.Sprint(batchCPU), program, mjump.Batch)
	alone, _ := measure("batch alone")
	if s := throttle(); s.State != api.ThrottleEnough || !strings.Contains(s.Source, "uncore_arb") {
		t.Errorf("batch alone: %v", s)
	}
	run(t, "victim", "taskset", "-c", fmt.Sprint(victimCPU), program, mjump.Batch)
	testkit.Eventually(t, "the throttle to close", func() bool {
		s := throttle()
		return s.State == api.ThrottleClosed && s.CPUs[0].Idle > 0.5
	})
	beside, latency := measure("both")
	if beside[batchCPU] > 0.6*alone[batchCPU] || latency[victimCPU] > 1.5*float64(service) {
		t.Errorf("batch keeps %.2f of its requests; one of the victim takes %.0f ns", beside[batchCPU]/alone[batchCPU], latency[victimCPU])
	}
}
