// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab"
)

// TestNativePlatform runs the native platform's tests on Debian's kernel, with
// version 2 of cgroups alone: it has another scheduler and other cgroups than
// most machines that tests run on. What takes minutes there is left out.
func TestNativePlatform(t *testing.T) {
	t.Parallel()
	const pkg = "./dom0/platform/native"
	program := filepath.Join(t.TempDir(), "native.test")
	goTest(t, "-c", "-o", program, pkg)
	result, stdout, stderr := boot(t, lab.Config{
		Mode: lab.Counted, Timeout: 15 * time.Minute,
		Add:  []lab.File{{Host: program, Guest: "/tests/native.test"}},
		Args: []string{"/tests/native.test", "-test.v", "-test.timeout", "10m", "-test.skip", "^Test(Churn|Cost|Share)$"},
	}, true)
	for _, test := range strings.Fields(goTest(t, "-list", "^Test", pkg)) {
		wanted := strings.HasPrefix(test, "Test") && !slices.Contains([]string{"TestChurn", "TestCost", "TestShare"}, test)
		if wanted && !strings.Contains(stdout, "--- PASS: "+test+" ") {
			t.Errorf("%s did not pass", test)
		}
	}
	if result.Status != 0 || strings.Contains(stdout, "--- SKIP") {
		t.Errorf("status %d, or something was skipped\n%s", result.Status, stderr)
	}
}
