// SPDX-License-Identifier: Apache-2.0

package master

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

// rule is a reservation for calls to a domain.
func rule(name, domain string) api.Reservation {
	return api.Reservation{
		Reservation: host.Reservation{Task: rtsched.Task{Budget: 10 * ms, Period: 100 * ms}, Callees: []host.Callee{{Domain: host.Domain{Name: domain}}}},
		Name:        name,
	}
}

func configure(t *testing.T, m *Master, want ...api.Reservation) {
	t.Helper()
	if err := m.Configure(t.Context(), want); err != nil {
		t.Fatal(err)
	}
}

func pay(t *testing.T, m *Master, key string) uint32 {
	t.Helper()
	id, err := m.Pay(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestRuleHasOneReservation(t *testing.T) {
	h := newPayHost(domain("1", "web", 0), domain("2", "db", 0), host.Domain{ID: "0", UUID: "0", Control: true})
	dir := t.TempDir()
	m := open(t, h, dir)
	adopted := adopt(t, m, "db", 10*ms, 100*ms)
	listens := rule("b", "web")
	listens.Callees[0].Listens = true
	configure(t, m, rule("a", "web"), listens, rule("later", "new"))
	a, b := pay(t, m, "a"), pay(t, m, "b")
	if a == b || a == adopted.ID || b == adopted.ID || h.pays[a] != "1false" || h.pays[b] != "1true" || h.tasks[a].Budget != 10*ms {
		t.Errorf("%d, %d: %v", a, b, h.pays)
	}
	if !slices.Equal(h.cleared, []uint32{a, b}) {
		t.Error("what earlier channels left:", h.cleared)
	}
	for key, want := range map[string]error{"later": host.ErrNoDomain, "nobody": nil} {
		if _, err := m.Pay(t.Context(), key); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v", key, err)
		}
	}
	if err := m.Configure(t.Context(), []api.Reservation{rule("0", "0")}); !errors.Is(err, api.ErrControl) {
		t.Error(err)
	}
	// A domain that comes, and one that comes again with another number.
	h.all = append(h.all, domain("3", "new", 0))
	later := pay(t, m, "later")
	h.all[0].ID = "7"
	if again := pay(t, m, "a"); again != a || h.pays[a] != "7false" || h.pays[later] != "3false" {
		t.Errorf("%d, %v", again, h.pays)
	}
	// The share of a rule's reservation is not given to others.
	_, err := m.Reserve(t.Context(), reservation("web", 60*ms, 100*ms))
	if !errors.Is(err, host.ErrNotAdmitted) {
		t.Error(err)
	}
	big := rule("a", "web")
	big.Budget = 80 * ms
	err = m.Configure(t.Context(), []api.Reservation{big, rule("b", "web")})
	if !errors.Is(err, host.ErrNotAdmitted) || !strings.Contains(err.Error(), "calls of") || h.tasks[a].Budget != 10*ms || len(h.pays) != 3 {
		t.Errorf("%v, %v", err, h.pays)
	}
	// The next master knows the reservation, and ends it if it is no longer
	// wanted.
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	m = open(t, h, dir)
	configure(t, m, rule("b", "web"))
	if pay(t, m, "b") != b || len(h.pays) != 1 || !slices.Equal(h.freed, []string{"3"}) {
		t.Errorf("%v, freed %v", h.pays, h.freed)
	}
	// A rule waits for its domain, and keeps its number.
	web := h.all[0]
	h.all = h.all[1:]
	configure(t, m, rule("b", "web"))
	if len(h.pays) != 1 {
		t.Error(h.pays)
	}
	h.all = append(h.all, web)
	configure(t, m)
	if len(h.pays) != 0 || !slices.Equal(h.freed, []string{"3", "7"}) {
		t.Errorf("%v, freed %v", h.pays, h.freed)
	}
	if _, err := m.Pay(t.Context(), "b"); err == nil {
		t.Error("paid")
	}
}

func TestReservationThatCannotBeEndedStays(t *testing.T) {
	h := newPayHost(domain("1", "web", 0))
	m := open(t, h, t.TempDir())
	configure(t, m, rule("a", "web"))
	h.fail = errors.New("broken")
	if err := m.Configure(t.Context(), nil); err == nil {
		t.Error("freed")
	}
	h.fail = nil
	configure(t, m)
	if len(h.pays) != 0 {
		t.Error("a reservation that could not be ended was forgotten:", h.pays)
	}
	plain := open(t, newHost(domain("1", "web", 0)), t.TempDir())
	if err := plain.Configure(t.Context(), []api.Reservation{rule("a", "web")}); !errors.Is(err, host.ErrNotHere) || !strings.Contains(err.Error(), "leave out budget") {
		t.Error(err)
	}
	if plain.Watches() || !m.Watches() {
		t.Error("which host watches")
	}
	if _, err := plain.Stuck(t.Context(), nil); !errors.Is(err, host.ErrNotHere) {
		t.Error(err)
	}
	h.stuck = "web"
	if s, err := m.Stuck(t.Context(), []string{"uuid-web", "none"}); !slices.Equal(s, []string{"uuid-web"}) || err != nil {
		t.Error(s, err)
	}
}

func TestRuleOfAStoppedDomainIsListed(t *testing.T) {
	h := newPayHost(domain("1", "web", 0), domain("2", "db", 0))
	m := open(t, h, t.TempDir())
	configure(t, m, rule("b", "db"), rule("a", "web"))
	delete(h.pays, pay(t, m, "a")) // its domain is gone
	all := listed(t, m, host.KindNone)
	if len(all) != 2 {
		t.Fatalf("%+v", all)
	}
	if b := all[0]; b.Name != "b" || b.On() != "2" || b.Left != 10*ms || b.Problem != "" {
		t.Errorf("%+v", b)
	}
	if a := all[1]; a.Name != "a" || a.On() != "" || a.Left != 0 || a.Problem != "" {
		t.Errorf("%+v", a)
	}
	h.fail = errors.New("broken")
	if all = listed(t, m, host.KindNone); all[0].Problem != "broken" {
		t.Errorf("%+v", all)
	}
	plain := open(t, newHost(domain("1", "web", 0)), t.TempDir())
	if all = listed(t, plain, host.KindNone); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}

// Where a domain has a single weight, it is either adopted or its calls are
// charged. A configuration with both is refused as a whole.
func TestDomainIsAdoptedOrCalledWhereItIsOneWeight(t *testing.T) {
	h := newPayHost(domain("1", "web", 0))
	web := reservation("web", 10*ms, 100*ms)
	m := open(t, h, t.TempDir())
	configure(t, m, web, rule("a", "web"))
	configure(t, m)
	h.can.Both = false
	err := m.Configure(t.Context(), []api.Reservation{web, rule("a", "web")})
	if !errors.Is(err, host.ErrNotAllowed) || !strings.Contains(err.Error(), "release it") || len(h.pays) != 0 || len(h.adopted) != 0 {
		t.Errorf("%v: %v, %v", err, h.pays, h.adopted)
	}
	configure(t, m, rule("a", "web"))
	configure(t, m, web)
	if len(h.pays) != 0 || len(h.adopted) != 1 {
		t.Errorf("%v, %v", h.pays, h.adopted)
	}
}

// A new reservation does not get the number of a later one.
func TestNewReservationTakesNoUsedNumber(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("2", "db", 1))
	m := open(t, h, t.TempDir())
	db := reservation("db", 10*ms, 100*ms)
	configure(t, m, db)
	configure(t, m, reservation("web", 10*ms, 100*ms), db)
	if len(h.adopted) != 2 {
		t.Error("two domains on one reservation:", h.adopted)
	}
}
