// SPDX-License-Identifier: Apache-2.0

package experiment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/corunner"
	"github.com/vlibos/vlibos/bench/native"
	"github.com/vlibos/vlibos/bench/tail"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/throttle"
)

// TestMain also is an experiment's processes.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ChildCommand {
		if err := Child(context.Background(), os.Args[2:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	testkit.Main(m)
}

// measure runs an experiment with effort Quick and returns its records.
func measure(t *testing.T, name string, o Options) map[string]bench.Record {
	t.Helper()
	if name != "overhead" && os.Geteuid() != 0 {
		t.Skip("not root: domains are cgroups, which only root can make here")
	}
	e, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]bench.Record)
	o.Effort, o.Progress = Quick, func(string) {}
	o.Done = func(r bench.Record) error {
		got[r.Name] = r
		return bench.Append(t.TempDir()+"/bench.jsonl", r)
	}
	err = e.Run(t.Context(), o)
	if errors.Is(err, host.ErrNotHere) || errors.Is(err, host.ErrNotAllowed) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range got {
		_, watched := r.Raw["noise_compute_percent"]
		if _, rounds := r.Raw["seed"]; watched == rounds && r.Unit != native.Allocations {
			t.Errorf("%s: the machine's noise is recorded: %v, and the order of its rounds: %v", r.Name, watched, rounds)
		}
	}
	return got
}

func TestOverheadComparesCallsWithOtherWays(t *testing.T) {
	got := measure(t, "overhead", Options{Slot: 2 * time.Millisecond})
	for _, name := range []string{"call.native.spin", "call.native.block", "call.native.socket", "call.native.rpc"} {
		if got[name].Value <= 0 {
			t.Errorf("%s: %+v", name, got[name])
		}
	}
}

func TestLidarMeasuresEachMode(t *testing.T) {
	got := measure(t, "lidar", Options{Period: 10 * time.Millisecond})
	for _, m := range corunner.OtherCPU() {
		r := got["lidar."+m.Name]
		// 40 decisions in each of 10 blocks.
		discarded, _ := r.Discarded()
		if n := float64(len(r.Samples["decision_us"])); n != 40*(10-discarded) || r.Raw["decisions"] != n || n > 0 && (r.Raw["p50_us"] <= 0 || r.Raw["max_us"] < r.Raw["p99_us"]) {
			t.Errorf("%s: %v samples, %v", m.Name, n, r.Raw)
		}
		if _, ok := r.Ratio("p99"); ok != (m.Name != corunner.Alone && r.Raw["pairs"] > 0) {
			t.Errorf("%s: a ratio: %v, %v", m.Name, ok, r.Raw)
		}
		if slices.Contains(throttle.Policies, m.Name) != (r.Raw["throttle_decisions"] > 0) {
			t.Errorf("%s: what the throttle did: %v", m.Name, r.Raw)
		}
	}
}

func TestTailMeasuresEachMode(t *testing.T) {
	if _, err := tail.Find(); err != nil {
		t.Skip(err) // cmd/vlibbench has the same test with its own memcached
	}
	got := measure(t, "tail", Options{Jobs: []string{"compression"}, Rate: 5000, Slot: 100 * time.Millisecond})
	for _, m := range corunner.Modes {
		r := got["tail.compression."+m.Name]
		if n := r.Raw["requests"]; n < 700 || r.Raw["p50_us"] <= 0 {
			t.Errorf("%s: %v", m.Name, r.Raw)
		}
	}
}

func TestFindNamesTheExperiments(t *testing.T) {
	if _, err := Find("nothing"); err == nil || !strings.Contains(err.Error(), "overhead, lidar, tail") {
		t.Error(err)
	}
}

func TestChildRefusesAnUnknownProcess(t *testing.T) {
	if err := Child(t.Context(), []string{"unknown-role"}, os.Stdin, os.Stdout); err == nil || !strings.Contains(err.Error(), `"unknown-role"`) {
		t.Error(err)
	}
}
