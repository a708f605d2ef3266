// SPDX-License-Identifier: Apache-2.0

package master

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
)

func claim(pid int, budget time.Duration, calls ...string) Claim {
	return Claim{Members: host.Members{PID: pid}, Name: "tool", Budget: budget * ms, Period: 100 * ms, Calls: calls}
}

func reserve(t *testing.T, m *Master, c Claim) Held {
	t.Helper()
	held, err := m.Reserve(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return held
}

// Threads are admitted where they run and where they call, beside the adopted,
// who are admitted beside them.
func TestReserve(t *testing.T) {
	h := newReservingHost(domain("1", "web", 0), domain("2", "db", 1), host.Domain{ID: "0", UUID: "0", Control: true})
	m := open(t, h, t.TempDir())
	a := adopt(t, m, "web", 40*ms, 100*ms)
	held := reserve(t, m, claim(7, 40, "db", "uuid-db"))
	if r := h.held[held.Reservation]; held.Reservation == a.Reservation || !slices.Equal(held.CPUs, []int{0, 1}) || len(r.Callees) != 1 || r.Callees[0].ID != "2" {
		t.Errorf("%+v, host %+v", held, r)
	}
	var refusal *host.Refusal
	if _, err := m.Reserve(t.Context(), claim(7, 40)); !errors.As(err, &refusal) || refusal.CPU != 0 || refusal.Most == 0 {
		t.Errorf("too much where it runs: %v", err)
	}
	if _, err := m.Adopt(t.Context(), Wish{Domain: "db", Budget: 80 * ms, Period: 100 * ms}); !errors.As(err, &refusal) || refusal.CPU != 1 {
		t.Errorf("an adoption where it calls: %v", err)
	}
	for _, c := range []struct {
		claim Claim
		want  error
	}{
		{claim(99, 1), host.ErrNoMembers}, {claim(7, 1, "nobody"), host.ErrNoDomain},
		{claim(7, 1, "0"), ErrControl}, {claim(7, 1, "web"), host.ErrNotAllowed},
	} {
		if _, err := m.Reserve(t.Context(), c.claim); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.claim, err, c.want)
		}
	}
	if all := m.ListHeld(t.Context()); len(all) != 1 || all[0].Foreground != 7 {
		t.Errorf("%+v", all)
	}
	if _, err := m.Unreserve(t.Context(), held.Reservation); err != nil || len(h.held) != 0 {
		t.Errorf("%v, %v", h.held, err)
	}
	if _, err := m.Unreserve(t.Context(), held.Reservation); !errors.Is(err, ErrNotReserved) {
		t.Errorf("again: %v", err)
	}
	adopt(t, m, "db", 80*ms, 100*ms)
	h.fail = errors.New("broken")
	if _, err := m.Reserve(t.Context(), claim(7, 1)); err == nil || len(m.held) != 0 {
		t.Errorf("what failed is held: %v", m.held)
	}
}

// The next master has those that still run, and a review forgets who ended.
func TestReserveResume(t *testing.T) {
	h, dir := newReservingHost(domain("2", "db", 1)), t.TempDir()
	m := open(t, h, dir)
	one, two := reserve(t, m, claim(7, 10, "db")), reserve(t, m, claim(8, 10))
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	delete(h.on, 8)
	m = open(t, h, dir)
	if len(m.held) != 1 || m.held[one.Reservation] == nil || h.resumed != 2 || len(h.held[one.Reservation].Callees) != 1 {
		t.Errorf("%v, %d resumed", m.held, h.resumed)
	}
	if got := reserve(t, m, claim(7, 1)); got.Reservation != two.Reservation {
		t.Errorf("the number %d is not free again, but %d", two.Reservation, got.Reservation)
	}
	delete(h.on, 7)
	if err := m.Review(t.Context()); err != nil || len(m.held) != 0 {
		t.Errorf("%v, %v", m.held, err)
	}
	if j, _, err := m.state.read(); err != nil || len(j.Held) != 0 {
		t.Errorf("%+v, %v", j, err)
	}
}

// A host that cannot charge callees says so.
func TestReserveNotHere(t *testing.T) {
	m := open(t, newHost(), t.TempDir())
	if _, err := m.Reserve(t.Context(), claim(7, 1)); !errors.Is(err, host.ErrNotHere) {
		t.Errorf("%v", err)
	}
}
