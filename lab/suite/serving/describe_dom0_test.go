// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/lab/suite/host"
)

// work is what 'ps -a' says of a domain.
func work(t *testing.T, name string) api.Domain {
	t.Helper()
	var h api.Host
	host.Must(t, json.Unmarshal([]byte(host.Run(t, "vlibmaster", "ps", "-a", "--json")), &h))
	for _, d := range h.Domains {
		if d.Name == name {
			return d
		}
	}
	t.Fatalf("ps -a has no %s: %+v", name, h.Domains)
	return api.Domain{}
}

// A vCPU that never sleeps runs or waits: its CPU time, which Xen counts, and its steal,
// which the module counts, are together the time that has passed, on a reservation or not.
func TestSpinningDomainRunsOrWaits(t *testing.T) {
	host.Serve(t)
	spin(t, "vlib1")
	spin(t, "vlib2")
	host.Run(t, "vlibmaster", "adopt", "vlib1", "--budget", "10ms", "--period", "100ms")
	time.Sleep(time.Second)
	const during = 10 * time.Second
	for _, name := range []string{"vlib1", "vlib2"} {
		before, begun := work(t, name), time.Now()
		time.Sleep(during)
		after, took := work(t, name), time.Since(begun)
		if after.Steal == nil || after.Work.Throttled == nil {
			t.Fatalf("%+v", after)
		}
		ran, waited := after.CPU-before.CPU, *after.Steal-*before.Steal
		t.Logf("%s in %v: ran %v, waited %v, together %.4f of the time", name, took, ran, waited, float64(ran+waited)/float64(took))
		if d := float64(ran+waited)/float64(took) - 1; math.Abs(d) > 0.02 || waited < during/4 {
			t.Errorf("%s ran %v and waited %v in %v", name, ran, waited, took)
		}
	}
	for name, words := range map[string][]string{
		"vlib1":    {"class batch, by a command", "asked: 10ms in every 100ms; had after ", "stands against it: 1ms in every 20ms, control domains", "scheduler vlib", "vCPU 0"},
		"vlib2":    {"none: it runs on what others leave", "nothing is asked; ", "10ms in every 100ms, reservation 2048 (vlib1)"},
		"Domain-0": {"it controls the host"},
	} {
		if text := host.Run(t, "vlibmaster", "describe", name); !containsAll(text, words) {
			t.Errorf("describe %s has not all of %q:\n%s", name, words, text)
		}
	}
	if text := host.Run(t, "vlibmaster", "top", "-b", "-n", "2"); !containsAll(text, []string{"vlib2", "Domain-0", "STEAL %"}) || strings.Count(text, "\nDOMAIN ") != 2 {
		t.Error(text)
	}
	host.Run(t, "vlibmaster", "release", "vlib1")
}

func containsAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}
