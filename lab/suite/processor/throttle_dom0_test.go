// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package processor

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/vlibos/vlibos/bench/domu"
	"github.com/vlibos/vlibos/bench/mjump"
	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// latency runs m_jump in Dom0, and returns how long a request to memory took meanwhile, of all
// CPUs, in the unit of the module's counters.
func latency(t *testing.T, m *vlib.Module) float64 {
	t.Helper()
	const budget = 300 * time.Millisecond
	var before vlib.Counters
	_, err := (mjump.Task{Budget: budget, Period: budget, Jobs: 3}).Run(t.Context(), program, func() error { return nil }, func() (err error) {
		before, err = m.Counters(0)
		return err
	})
	host.Must(t, err)
	after, err := m.Counters(0)
	host.Must(t, err)
	t.Logf("%d requests, occupancy %d", after.Requests-before.Requests, after.Occupancy-before.Occupancy)
	return float64(after.Occupancy-before.Occupancy) / float64(after.Requests-before.Requests)
}

// The throttle of the daemon, closed over the processor's own counters by the module: no
// device of the lab is involved.
func TestThrottleIsClosedOverTheModulesCounters(t *testing.T) {
	m, _ := host.Module(t)
	latency(t, m) // programs the counters
	alone := latency(t, m)
	config := func(threshold float64) string {
		return fmt.Sprintf("[throttle]\nsource = \"uncore\"\nthreshold_ns = %.0f\nperiod = \"50ms\"\ncpus = [%d]\n", threshold, domUCPU)
	}
	d := serve(t, config(20*alone))
	requests := func() (uint64, error) {
		c, err := m.Counters(domUCPU)
		return c.Requests, err
	}
	stop, err := domu.Background(t.Context(), domU, vlibcall.Options{Wait: vlibcall.Block}, requests, 1000, program, mjump.Batch)
	host.Must(t, err)
	defer func() { host.Must(t, stop()) }()
	state := func() (s api.Throttle) {
		var h api.Host
		host.Must(t, json.Unmarshal([]byte(host.Run(t, "vlibmaster", "ps", "--json")), &h))
		if h.Throttle != nil {
			s = *h.Throttle
		}
		return s
	}
	beside := latency(t, m)
	open := state()
	if open.State != api.ThrottleEnough {
		t.Errorf("below the threshold: %v", open)
	}
	d.reload(t, config(1.1*alone), taken)
	var most float64
	testkit.Eventually(t, "CPUs idle in background", func() bool {
		latency(t, m)
		s := state()
		if len(s.CPUs) == 1 {
			most = max(most, s.CPUs[0].Idle)
		}
		return most > 0.3 // the policy opens and closes the gate from period to period
	})
	controlled := latency(t, m)
	t.Logf("%s: a request takes %.0f alone, %.0f beside another, %.0f throttled (%.2f of the added latency back); CPU %d idles for up to %.2f of the time; %v",
		open.Source, alone, beside, controlled, (beside-controlled)/(beside-alone), domUCPU, most, state())
	// Alone it is the same within a thousandth in each run; beside another 1.18 to 1.25 times
	// that, as the host has time for both CPUs.
	if beside < 1.1*alone || controlled > beside-0.3*(beside-alone) {
		t.Errorf("the latency does not fall")
	}
}
