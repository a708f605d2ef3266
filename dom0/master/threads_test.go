// SPDX-License-Identifier: Apache-2.0

package master

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

// threads is a reservation for threads.
func threads(pid int, budget time.Duration, calls ...string) api.Reservation {
	r := api.Reservation{
		Reservation: host.Reservation{Task: rtsched.Task{Budget: budget * ms, Period: 100 * ms}, Holder: host.Holder{Threads: &host.Members{PID: pid}}},
		Name:        "tool",
	}
	for _, ref := range calls {
		r.Callees = append(r.Callees, host.Callee{Domain: host.Domain{Name: ref}})
	}
	return r
}

func reserve(t *testing.T, m *Master, want api.Reservation) api.Reservation {
	t.Helper()
	r, err := m.Reserve(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Threads are admitted where they run and where they call, beside adopted
// domains, which in turn are admitted beside them.
func TestThreadsAreAdmittedWhereTheyRunAndCall(t *testing.T) {
	h := newReservingHost(domain("1", "web", 0), domain("2", "db", 1), domain("3", "shop", 1), host.Domain{ID: "0", UUID: "0", Control: true})
	m := open(t, h, t.TempDir())
	a := adopt(t, m, "web", 40*ms, 100*ms)
	made := reserve(t, m, threads(7, 40, "db", "uuid-db"))
	if r := h.threads[made.ID]; made.ID == a.ID || !slices.Equal(made.CPUs, []int{0, 1}) || len(r.Callees) != 1 || r.Callees[0].ID != "2" {
		t.Errorf("%+v, host %+v", made, r)
	}
	var refusal *host.Refusal
	if _, err := m.Reserve(t.Context(), threads(7, 40)); !errors.As(err, &refusal) || refusal.CPU != 0 || refusal.Most == 0 {
		t.Errorf("too much where it runs: %v", err)
	}
	if _, err := m.Reserve(t.Context(), reservation("shop", 80*ms, 100*ms)); !errors.As(err, &refusal) || refusal.CPU != 1 {
		t.Errorf("an adoption where it calls: %v", err)
	}
	if _, err := m.Reserve(t.Context(), reservation("db", ms, 100*ms)); !errors.Is(err, host.ErrNotAllowed) {
		t.Errorf("an adoption of a callee: %v", err)
	}
	for _, c := range []struct {
		asked api.Reservation
		want  error
	}{
		{threads(99, 1), host.ErrNoMembers}, {threads(7, 1, "nobody"), host.ErrNoDomain},
		{threads(7, 1, "0"), api.ErrControl}, {threads(7, 1, "web"), host.ErrNotAllowed},
	} {
		if _, err := m.Reserve(t.Context(), c.asked); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.asked, err, c.want)
		}
	}
	if all := listed(t, m, host.KindThreads); len(all) != 1 || all[0].Foreground != 7 {
		t.Errorf("%+v", all)
	}
	if _, err := m.Unreserve(t.Context(), made.ID); err != nil || len(h.threads) != 0 {
		t.Errorf("%v, %v", h.threads, err)
	}
	if _, err := m.Unreserve(t.Context(), made.ID); !errors.Is(err, api.ErrNotReserved) {
		t.Errorf("again: %v", err)
	}
	adopt(t, m, "db", 80*ms, 100*ms)
	h.fail = errors.New("broken")
	if _, err := m.Reserve(t.Context(), threads(7, 1)); err == nil || len(listed(t, m, host.KindThreads)) != 0 {
		t.Errorf("a failed reservation is in the table: %v", m.entries)
	}
}

// The next master has the threads that still run, and a review removes those
// that have ended.
func TestNextMasterHasTheThreadsThatRun(t *testing.T) {
	h, dir := newReservingHost(domain("2", "db", 1)), t.TempDir()
	m := open(t, h, dir)
	one, two := reserve(t, m, threads(7, 10, "db")), reserve(t, m, threads(8, 10))
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	delete(h.on, 8)
	m = open(t, h, dir)
	if len(m.entries) != 1 || m.entries[one.ID] == nil || h.resumed != 2 || len(h.threads[one.ID].Callees) != 1 {
		t.Errorf("%v, %d resumed", m.entries, h.resumed)
	}
	if got := reserve(t, m, threads(7, 1)); got.ID != two.ID {
		t.Errorf("the number %d is not free again, but %d", two.ID, got.ID)
	}
	delete(h.on, 7)
	if err := m.Review(t.Context()); err != nil || len(m.entries) != 0 {
		t.Errorf("%v, %v", m.entries, err)
	}
	if j, _, err := m.state.read(); err != nil || len(j) != 0 {
		t.Errorf("%+v, %v", j, err)
	}
}

// A host that cannot charge callees reports that.
func TestHostWithoutThreadsSaysSo(t *testing.T) {
	m := open(t, newHost(), t.TempDir())
	if _, err := m.Reserve(t.Context(), threads(7, 1)); !errors.Is(err, host.ErrNotHere) {
		t.Errorf("%v", err)
	}
}
