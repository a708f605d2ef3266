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

// TestSoakHypercallFuzz is TestHypercallFuzz with ten million calls.
func TestSoakHypercallFuzz(t *testing.T) {
	hypercallFuzz(t, lab.PV, 3*time.Hour, "VLIBOS_FUZZ=10000000")
}
