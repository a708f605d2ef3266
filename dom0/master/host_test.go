// SPDX-License-Identifier: Apache-2.0

package master

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/internal/flock"
)

// A host has one master, even if the masters' folders differ.
func TestOwnedHostIsRefused(t *testing.T) {
	h, dir := newHost(), t.TempDir()
	h.owned = fmt.Errorf("the device: %w", flock.ErrTaken)
	if _, err := Open(t.Context(), h, dir, slog.Default()); !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), "the device") {
		t.Errorf("%v", err)
	}
	h.owned = nil
	open(t, h, dir)
}

// A note of the host is logged once.
func TestNotesAreLoggedOnce(t *testing.T) {
	h := newHost()
	m := open(t, h, t.TempDir())
	var log strings.Builder
	m.log = slog.New(slog.NewTextHandler(&log, nil))
	h.notes = []string{"budgets end late"}
	for range 3 {
		m.noted()
	}
	h.notes = nil
	m.noted()
	h.notes = []string{"budgets end late"}
	m.noted()
	if n := strings.Count(log.String(), "budgets end late"); n != 2 {
		t.Errorf("%d times:\n%s", n, log.String())
	}
}
