// SPDX-License-Identifier: Apache-2.0

package master

import (
	"slices"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/dom0/host"
)

// A reservation for calls to a domain that moves onto a full CPU is charged for
// none until it fits.
func TestRuleOfAMovedDomainWaits(t *testing.T) {
	h := newPayHost(domain("1", "web", 0), domain("2", "db", 1))
	m := open(t, h, t.TempDir())
	configure(t, m, rule("a", "web"))
	id := pay(t, m, "a")
	adopt(t, m, "db", 94*ms, 100*ms)
	h.all[0].CPUs = []int{1}
	review(t, m)
	if all := listed(t, m, host.KindNone); h.pays[id] != "" || len(all) != 1 || !all[0].Waits || !strings.Contains(all[0].Problem, "not admitted") {
		t.Errorf("%+v, host %v", all, h.pays)
	}
	if _, err := m.Release(t.Context(), "db"); err != nil {
		t.Fatal(err)
	}
	review(t, m)
	if all := listed(t, m, host.KindNone); h.pays[id] == "" || all[0].Waits || all[0].Problem != "" {
		t.Errorf("%+v, host %v", all, h.pays)
	}
}

// A domain with another handle is the same domain when the reservation for its
// calls ends.
func TestRuleOfADomainWithANewHandle(t *testing.T) {
	h := newPayHost(domain("1", "web", 0))
	m := open(t, h, t.TempDir())
	configure(t, m, rule("a", "web"))
	pay(t, m, "a")
	h.all[0].UUID = "another"
	configure(t, m, rule("a", "web"))
	if len(h.pays) != 1 || len(h.freed) != 0 {
		t.Errorf("the same again: %v, freed %v", h.pays, h.freed)
	}
	h.all[0].Name = "other"
	configure(t, m)
	if len(h.pays) != 0 || !slices.Equal(h.freed, []string{"1"}) {
		t.Errorf("%v, freed %v", h.pays, h.freed)
	}
}

// Threads that move onto a full CPU keep their reservation, with a problem, and
// count there.
func TestThreadsAreFollowed(t *testing.T) {
	h := newReservingHost(domain("1", "web", 1))
	m := open(t, h, t.TempDir())
	reserve(t, m, threads(7, 60))
	adopt(t, m, "web", 60*ms, 100*ms)
	h.on[7] = []int{1}
	review(t, m)
	if all := listed(t, m, host.KindThreads); !strings.Contains(all[0].Problem, "not admitted") || !slices.Equal(all[0].CPUs, []int{1}) || all[0].Foreground != 7 {
		t.Errorf("%+v", all)
	}
	h.all = append(h.all, domain("2", "db", 0))
	adopt(t, m, "db", 90*ms, 100*ms)
	if _, err := m.Release(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	review(t, m)
	if all := listed(t, m, host.KindThreads); all[0].Problem != "" {
		t.Errorf("%+v", all)
	}
}
