// SPDX-License-Identifier: Apache-2.0

//go:build lab && soak

package lab_test

import (
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab"
)

// TestSoakRogueGuest is TestRogueGuest with 10,000 connections.
func TestSoakRogueGuest(t *testing.T) { rogueGuest(t, 6*time.Hour, "VLIBOS_ROUNDS=10000") }

// TestSoakScheduling is TestScheduling with PVH guests.
func TestSoakScheduling(t *testing.T) { scheduling(t, lab.PVH) }

// TestSoakServing is TestServing's long tests, each in a boot of its own.
func TestSoakServing(t *testing.T) {
	for _, name := range long {
		t.Run(name, func(t *testing.T) {
			these(t, lab.Config{Xen: lab.VlibXen, Mode: lab.Counted, DomUs: 2, Timeout: time.Hour},
				func(_, test string) bool { return test == name }, "lab/serving")
		})
	}
}

// TestSoakHypercallFuzz is TestHypercallFuzz with ten million calls where they
// are cheap, with fewer from PVH guests, half of whose calls are made from user
// mode by the instruction, and with those that CPUs make at the same time.
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
			hypercallFuzz(t, tt.mode, tt.guest, 3*time.Hour, "VLIBOS_FUZZ="+tt.calls, "VLIBOS_SEED=2")
		})
	}
}
