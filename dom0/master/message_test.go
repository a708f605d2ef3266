// SPDX-License-Identifier: Apache-2.0

package master

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
)

// Every refusal names the domain by the reference that was given, says what is wrong
// with it, and what to do.
func TestRefusalNamesTheReferenceAndTheWayOut(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("2", "db", 0), domain("3", "db", 1))
	h.can.Start = "begin NAME"
	m := open(t, h, t.TempDir())
	reserve := func(ref string, budget time.Duration, class host.Class) error {
		r := reservation(ref, budget, 100*ms)
		r.Class = class
		_, err := m.Reserve(t.Context(), r)
		return err
	}
	release := func(ref string) error { _, err := m.Release(t.Context(), ref); return err }
	const has, begin = `this host has: 1 ("web"), 2 ("db"), 3 ("db")`, `: start one with 'begin NAME'`
	for _, tt := range []struct {
		err, is error
		want    string
	}{
		{reserve("web", -5*ms, ""), nil, `reserve for domain "web": budget -5ms is out of range`},
		{reserve("web", 300*ms, ""), nil, `reserve for domain "web": budget 300ms is out of range`},
		{reserve("web", ms, "fast"), host.ErrClass, `reserve for domain "web": class "fast": no such class: want one of batch, critical`},
		{reserve("later", ms, ""), host.ErrNoDomain, `reserve for domain "later": domain "later": no such domain: ` + has + begin},
		{reserve("db", ms, ""), host.ErrSeveral, `reserve for domain "db": domain "db": several domains have this name: use a number or UUID: 2 ("db"), 3 ("db")`},
		{reserve("db", ms, ""), host.ErrNoDomain, `reserve for domain "db": domain "db": several`},
		{release("web"), api.ErrNotAdopted, `domain "web" has no reservation: 'vlibmaster ps' lists those that have one`},
		{release("db"), api.ErrNotAdopted, `domain "db" has no reservation: 'vlibmaster ps'`},
		{release("later"), api.ErrNotAdopted, `domain "later" has no reservation: no such domain: ` + has},
	} {
		if tt.err == nil || tt.is != nil && !errors.Is(tt.err, tt.is) || !strings.HasPrefix(tt.err.Error(), tt.want) {
			t.Errorf("%v, want %s", tt.err, tt.want)
		}
	}
	if err := release("web"); errors.Is(err, host.ErrNoDomain) {
		t.Errorf("a domain that is there: %v", err)
	}
}
