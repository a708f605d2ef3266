// SPDX-License-Identifier: Apache-2.0

//go:build lab && soak

package lab_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab"
)

// TestSoakNativeHost runs the native host's tests on Debian's kernel, with
// version 2 of cgroups alone: it has another scheduler and other cgroups than
// most machines that tests run on. What takes minutes there is left out, and
// reservations of threads with callees: with the one CPU of this Dom0, where both
// are real-time, they do not hold there; and what needs two CPUs.
func TestSoakNativeHost(t *testing.T) {
	const pkg, leftOut = "./dom0/host/native", "^Test(Churn|Cost|Share|ReserveCaller.*|CpusetOntoAFullCPU)$"
	program := filepath.Join(t.TempDir(), "native.test")
	goTest(t, "-c", "-o", program, pkg)
	result, stdout, stderr := boot(t, lab.Config{
		Mode: lab.Counted, Timeout: 15 * time.Minute,
		Add:  []lab.File{{Host: program, Guest: "/tests/native.test"}},
		Args: []string{"env", "VLIBOS_COUNTED=1", "/tests/native.test", "-test.v", "-test.timeout", "10m", "-test.skip", leftOut},
	}, true)
	for _, test := range strings.Fields(goTest(t, "-list", "^Test", pkg)) {
		wanted := strings.HasPrefix(test, "Test") && !regexp.MustCompile(leftOut).MatchString(test)
		if wanted && !strings.Contains(stdout, "--- PASS: "+test+" ") {
			t.Errorf("%s did not pass", test)
		}
	}
	if result.Status != 0 || strings.Contains(stdout, "--- SKIP") {
		t.Errorf("status %d, or something was skipped\n%s", result.Status, stderr)
	}
}
