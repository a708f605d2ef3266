// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab"
)

// A release other than the default boots, whatever release this machine has, with one of
// its packages in the DomU, whose server answers.
func TestOtherReleaseBoots(t *testing.T) {
	t.Parallel()
	result, stdout, stderr := boot(t, lab.Config{
		Release: "trixie", DomUs: 1, DomUPackages: []string{"memcached"},
		Args: []string{"sh", "-c", `
			xl info | sed -n 's/^xen_version *: //p'
			vlibmaster call 1 libm.so.6 cos --sig 'f64(f64)' 0.5
			vlibmaster call 1 vlib run -- memcached --version`},
	}, false)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "4.20") || lines[1] != "0.8775825618903728" || !strings.HasPrefix(lines[2], "memcached 1.") {
		t.Errorf("status %d, stdout %q, stderr %q", result.Status, stdout, stderr)
	}
	if !strings.HasPrefix(result.Versions.Dom0, "6.12") {
		t.Errorf("Dom0's kernel is %s", result.Versions.Dom0)
	}
}

// Without the check, Xen continues under another scheduler.
func TestMissingSchedulerEndsTheRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	_, err := lab.Run(ctx, lab.Config{Scheduler: "rtds", Args: []string{"true"}})
	var failed *lab.Error
	if !errors.As(err, &failed) {
		t.Fatalf("%v, want an error of the lab", err)
	}
	text := err.Error()
	if !strings.Contains(text, `no scheduler "rtds"`) || slices.ContainsFunc([]string{"credit", "credit2"}, func(s string) bool { return !strings.Contains(text, s) }) {
		t.Errorf("%q does not name it and the existing ones", text)
	}
}
