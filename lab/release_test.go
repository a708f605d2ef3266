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
