// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"testing"
	"time"

	"github.com/vlibos/vlibos/bench/mjump"
	"github.com/vlibos/vlibos/lab"
)

// TestContended runs alone: other tests would take the CPUs that its two vCPUs need
// at the same time.
func TestContended(t *testing.T) {
	program, err := mjump.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	both := []lab.File{{Host: program, Guest: "/usr/bin/mjump"}}
	inDom0(t, lab.Config{
		Mode: lab.Contended, BusService: 10 * time.Microsecond, DomUs: 1, Add: both, DomUAdd: both, Timeout: 15 * time.Minute,
	}, "lab/suite/contention")
}
