// SPDX-License-Identifier: Apache-2.0

//go:build lab && soak

package lab_test

import (
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab"
)

// TestSoakRogueGuest is TestRogueGuest with 10,000 connections.
func TestSoakRogueGuest(t *testing.T) { rogueGuest(t, 2*time.Hour, "VLIBOS_ROUNDS=10000") }

// TestSoakHypercallFuzz is TestHypercallFuzz with ten million calls, and from
// PVH guests, half of whose calls are made from user mode by the instruction.
func TestSoakHypercallFuzz(t *testing.T) {
	t.Run("PV", func(t *testing.T) { hypercallFuzz(t, lab.PV, 12*time.Hour, "VLIBOS_FUZZ=10000000") })
	t.Run("PVH", func(t *testing.T) { hypercallFuzz(t, lab.PVH, 3*time.Hour, "VLIBOS_FUZZ=100000") })
}
