// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package processor

import (
	"math"
	"testing"
	"time"

	"github.com/vlibos/vlibos/bench/mjump"
	"github.com/vlibos/vlibos/throttle/model"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// The path at which the lab's test puts the program.
const program = "/usr/bin/mjump"

// count is what has been counted of the bus so far.
type count struct {
	module vlib.Counters
	bus    model.Counters // of all CPUs
}

// units of occupancy a nanosecond, by the kind of counters (lab/processor/emulator/models.c).
var units = map[vlib.CounterKind]float64{
	vlib.CountersIntelARB: 2, vlib.CountersIntelCHA: 2, vlib.CountersAMDL3: 0.1,
}

// The module reads the processor's own registers; the bus' device has the truth.
func TestModulesCountersCountTheBus(t *testing.T) {
	bus, err := model.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	xen, err := xenctl.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer xen.Close()
	module, err := vlib.Open(xen)
	if err != nil {
		t.Fatal(err)
	}
	read := func() (c count) {
		if c.module, err = module.Counters(0); err != nil {
			t.Fatal(err)
		}
		for cpu := range bus.CPUs() {
			one, err := bus.Read(cpu)
			if err != nil {
				t.Fatal(err)
			}
			c.bus = c.bus.Add(one)
		}
		return c
	}
	read() // programs the counters
	var before count
	const budget = 300 * time.Millisecond
	if _, err := (mjump.Task{Budget: budget, Period: budget, Jobs: 2}).Run(t.Context(), program, func() error { return nil }, func() error {
		before = read()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	after := read()
	unit, ok := units[after.module.Kind]
	if !ok {
		t.Fatalf("counters of %v", after.module.Kind)
	}
	requests, occupancy := after.module.Requests-before.module.Requests, after.module.Occupancy-before.module.Occupancy
	real := after.bus.Since(before.bus)
	t.Logf("%v: %d requests, %d of occupancy; on the bus %d and %v", after.module.Kind, requests, occupancy, real.Requests, real.Occupancy)
	if real.Requests < 1000 {
		t.Errorf("only %d requests", real.Requests)
	}
	if apart(float64(requests), float64(real.Requests)) > 0.01 || apart(float64(occupancy), unit*float64(real.Occupancy)) > 0.01 {
		t.Errorf("more than 1 %% apart")
	}
}

func apart(a, b float64) float64 { return math.Abs(a/b - 1) }
