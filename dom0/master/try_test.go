// SPDX-License-Identifier: Apache-2.0

package master

import (
	"errors"
	"slices"
	"testing"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
)

// A domain that does not exist yet is planned on every CPU.
func TestTryPlansForDomainsToCome(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("2", "db", 1), domain("3", "twin", 1), domain("4", "twin", 1))
	m := open(t, h, t.TempDir())
	adopt(t, m, "web", 50*ms, 100*ms)
	got, err := m.Try(t.Context(), []api.Reservation{reservation("later", 20*ms, 100*ms), reservation("web", 40*ms, 100*ms)})
	if err != nil || !slices.Equal(got.Absent, []string{"later"}) || !slices.Equal(got.CPUs, []int{0, 1}) {
		t.Errorf("%+v, %v", got, err)
	}
	// It counts for later ones, and does not fit on a full CPU.
	for _, w := range [][]api.Reservation{
		{reservation("later", 60*ms, 100*ms)},
		{reservation("later", 30*ms, 100*ms), reservation("db", 70*ms, 100*ms)},
	} {
		if _, err := m.Try(t.Context(), w); !errors.Is(err, host.ErrNotAdmitted) {
			t.Errorf("%v: %v", w, err)
		}
	}
	// A name that several domains have is not that of a future domain.
	if _, err := m.Try(t.Context(), []api.Reservation{reservation("twin", ms, 100*ms)}); !errors.Is(err, host.ErrNoDomain) {
		t.Error(err)
	}
}
