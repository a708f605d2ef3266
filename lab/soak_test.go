// SPDX-License-Identifier: Apache-2.0

//go:build lab && soak

package lab_test

import (
	"cmp"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab"
)

// TestSoakRogueGuest is TestRogueGuestHarmsOnlyItself with 5,000 connections, or
// VLIBOS_ROUNDS.
func TestSoakRogueGuest(t *testing.T) {
	rogueGuest(t, 6*time.Hour, "VLIBOS_ROUNDS="+cmp.Or(os.Getenv("VLIBOS_ROUNDS"), "5000"))
}

// TestSoakScheduling is TestScheduling with PVH guests.
func TestSoakScheduling(t *testing.T) { scheduling(t, lab.PVH) }

// faultsTime is how long TestSoakFaults runs; VLIBOS_FAULTS changes it.
func faultsTime(t *testing.T) time.Duration {
	d, err := time.ParseDuration(cmp.Or(os.Getenv("VLIBOS_FAULTS"), "20m"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestSoakFaults runs random changes under Xen's assertions and checks of locks: those of
// TestManyCPUs, and those of starvation in counted mode, a round for each minute. Both
// print the seed that repeats them.
func TestSoakFaults(t *testing.T) {
	env := []string{"VLIBOS_STRESS=" + faultsTime(t).String()}
	if seed := os.Getenv("VLIBOS_SEED"); seed != "" {
		env = append(env, "VLIBOS_SEED="+seed)
	}
	t.Run("stress", func(t *testing.T) {
		these(t, lab.Config{
			Xen: lab.VlibDebugXen, PCPUs: 3, Dom0VCPUs: 2, DomUs: 2, DomUVCPUs: 2, Env: env,
			Timeout: 3 * (faultsTime(t) + 20*time.Minute),
		}, func(_, test string) bool { return test == "TestDomainsSurviveConcurrentChanges" }, "lab/suite/multicpu")
	})
	t.Run("starvation", func(t *testing.T) {
		rounds := fmt.Sprintf("VLIBOS_ROUNDS=%d", max(8, int(faultsTime(t)/time.Minute)))
		these(t, lab.Config{
			Xen: lab.VlibDebugXen, Mode: lab.Counted, DomUs: 2, Env: append(env, rounds), Timeout: 3 * (faultsTime(t) + 20*time.Minute),
		}, func(_, test string) bool { return test == "TestNoDomainStarvesAfterDisturbances" }, "lab/suite/scheduling")
	})
}

// TestSoakServing runs TestServing's long tests, each in a boot of its own.
func TestSoakServing(t *testing.T) {
	for _, name := range long {
		if name != collections {
			t.Run(name, func(t *testing.T) { serveOne(t, name) })
		}
	}
}

// TestSoakCollections runs the longest of them.
func TestSoakCollections(t *testing.T) { serveOne(t, collections) }

func serveOne(t *testing.T, name string) {
	these(t, lab.Config{Xen: lab.VlibXen, Mode: lab.Counted, DomUs: 2, Timeout: 2 * time.Hour},
		func(_, test string) bool { return test == name }, "lab/suite/serving")
}

// TestSoakHypercallFuzz is TestRandomHypercallsDoNoHarm with ten million calls where they
// are cheap, with fewer from PVH guests, which make half of them from user mode by the
// instruction, and with calls that several CPUs make at the same time. VLIBOS_SEED makes
// other calls.
func TestSoakHypercallFuzz(t *testing.T) {
	for _, tt := range []struct {
		name  string
		mode  lab.Mode
		guest lab.Guest
		calls string
	}{
		{"counted", lab.Counted, lab.PV, "10000000"},
		{"PVH", lab.Counted, lab.PVH, "1000000"},
		{"parallel", lab.Functional, lab.PV, "500000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hypercallFuzz(t, tt.mode, tt.guest, 3*time.Hour, "VLIBOS_FUZZ="+tt.calls, "VLIBOS_SEED="+cmp.Or(os.Getenv("VLIBOS_SEED"), "2"))
		})
	}
}
