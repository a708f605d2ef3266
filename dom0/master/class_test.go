// SPDX-License-Identifier: Apache-2.0

package master

import (
	"errors"
	"testing"

	"github.com/vlibos/vlibos/dom0/host"
)

func TestClassStaysUnlessAskedFor(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("2", "db", 0))
	dir := t.TempDir()
	m := open(t, h, dir)
	as := func(class host.Class, want host.Class) {
		t.Helper()
		a, err := m.Reserve(t.Context(), reservation("web", 10*ms, 100*ms, class))
		if err != nil || a.Class != want || h.spared[a.ID] != (want == host.Critical) {
			t.Errorf("%q: %+v, %v, spared %v", class, a, err, h.spared)
		}
	}
	as("", host.Batch)
	as(host.Critical, host.Critical)
	as("", host.Critical) // other numbers, the same class
	as(host.Batch, host.Batch)
	as(host.Critical, host.Critical)
	if _, err := m.Reserve(t.Context(), reservation("web", ms, 10*ms, "fast")); !errors.Is(err, host.ErrClass) {
		t.Error(err)
	}
	// The class outlives the daemon and the domain.
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	clear(h.spared)
	m = open(t, h, dir)
	h.all[0].ID = "7"
	if err := m.Review(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := list(t, m); len(s) != 1 || s[0].Class != host.Critical || !h.spared[s[0].ID] {
		t.Errorf("%+v, spared %v", s, h.spared)
	}
}
