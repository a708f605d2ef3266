// SPDX-License-Identifier: Apache-2.0

//go:build lab && soak

package lab_test

import (
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab"
)

// TestSoakNativeHost runs the native host's tests on Debian's kernel with cgroups of
// version 2 only: its scheduler and its cgroups differ from those of most machines that
// run tests. It leaves out tests that take minutes there, that need two CPUs or version 1, and
// reservations of threads with callees, which do not hold on the one CPU of this Dom0,
// where both are real-time.
func TestSoakNativeHost(t *testing.T) {
	nativeHost(t, lab.Config{Mode: lab.Counted, Timeout: 40 * time.Minute, Env: []string{"VLIBOS_COUNTED=30s"}},
		"^Test(HalfADomainIsAnError|Churn|Cost|Share|ReserveCaller.*|CpusetOntoAFullCPU)$")
}
