// SPDX-License-Identifier: Apache-2.0

//go:build lab && soak

package lab_test

import (
	"testing"
	"time"
)

// TestSoakRogueGuest is TestRogueGuest with 10,000 connections.
func TestSoakRogueGuest(t *testing.T) { rogueGuest(t, 2*time.Hour, "VLIBOS_ROUNDS=10000") }
