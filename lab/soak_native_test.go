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

// TestSoakNativeHost runs the native host's tests on Debian's kernel with cgroups of
// version 2 only: its scheduler and its cgroups differ from those of most machines that
// run tests. It leaves out tests that take minutes there, tests that need two CPUs, and
// reservations of threads with callees, which do not hold on the one CPU of this Dom0,
// where both are real-time.
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
		t.Errorf("status %d, or a test was skipped\n%s", result.Status, stderr)
	}
}
