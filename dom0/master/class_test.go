// SPDX-License-Identifier: Apache-2.0

package master

import (
	"errors"
	"testing"
)

func TestClass(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("2", "db", 0))
	dir := t.TempDir()
	m := open(t, h, dir)
	as := func(class Class, want Class) {
		t.Helper()
		a, err := m.Adopt(t.Context(), Wish{Domain: "web", Budget: 10 * ms, Period: 100 * ms, Class: class})
		if err != nil || a.Class != want || h.spared[a.Reservation] != (want == Critical) {
			t.Errorf("%q: %+v, %v, spared %v", class, a, err, h.spared)
		}
	}
	as("", Batch)
	as(Critical, Critical)
	as("", Critical) // other numbers, the same class
	as(Batch, Batch)
	as(Critical, Critical)
	if _, err := m.Adopt(t.Context(), Wish{Domain: "web", Budget: ms, Period: 10 * ms, Class: "fast"}); !errors.Is(err, ErrClass) {
		t.Error(err)
	}
	// It outlives the daemon and the domain.
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	clear(h.spared)
	m = open(t, h, dir)
	h.all[0].ID = "7"
	if err := m.Review(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := list(t, m); len(s) != 1 || s[0].Class != Critical || !h.spared[s[0].Reservation] {
		t.Errorf("%+v, spared %v", s, h.spared)
	}
}
