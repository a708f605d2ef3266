// SPDX-License-Identifier: Apache-2.0

package master

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
)

// crowd is a host of n domains, of which the first has number 1.
func crowd(n int) *fakeHost {
	h := newHost()
	for i := range n {
		id := fmt.Sprint(i + 1)
		h.all = append(h.all, host.Domain{ID: id, UUID: "u" + id, Name: "d" + id, CPUs: []int{0, 1}, Work: host.Work{CPU: time.Minute}})
	}
	return h
}

func TestAllDomainsAreListedReservedOrNot(t *testing.T) {
	h := crowd(4)
	h.broken = map[string]error{"3": errors.New("no answer"), "4": host.ErrNoDomain}
	m := open(t, h, t.TempDir())
	r, err := m.Reserve(t.Context(), reservation("d1", ms, 100*ms))
	if err != nil {
		t.Fatal(err)
	}
	all, err := m.Domains(t.Context())
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err) // the fourth has gone meanwhile
	}
	if d := all[0]; d.Reservation != r.ID || d.Name != "d1" || d.Work.CPU != time.Minute+time.Second || len(d.CPUs) != 2 || d.Problem != "" {
		t.Errorf("%+v", d)
	}
	if d := all[1]; d.Reservation != 0 || d.Work.CPU != time.Minute+time.Second {
		t.Errorf("%+v", d)
	}
	if d := all[2]; d.Problem != "no answer" || d.Work.CPU != time.Minute {
		t.Errorf("%+v", d)
	}
}

// Of three reservations on one CPU the one with the longest period waits for both
// others and the floor; the arithmetic is the manual's.
func TestDescriptionHasAdmissionsArithmetic(t *testing.T) {
	h := crowd(3)
	for i := range h.all {
		h.all[i].CPUs = []int{0}
	}
	m := open(t, h, t.TempDir())
	for i, period := range []time.Duration{10 * ms, 50 * ms} {
		if _, err := m.Reserve(t.Context(), reservation(h.all[i].Name, 2*ms, period)); err != nil {
			t.Fatal(err)
		}
	}
	d, err := m.Describe(t.Context(), "u2")
	if err != nil || len(d.Reservations) != 1 || d.Reservations[0].Foreground != 7 || d.ID != "2" || len(d.Facts) != 1 || len(d.Admission) != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	// 2 ms of its own, 2 of the first, 1 of the floor, and each 60 µs late.
	a := d.Admission[0]
	if a.Response != 5*ms+180*time.Microsecond || a.Refusal != "" || a.Others != 2 || a.Beside[0].Name != "d1" || a.Beside[1].ID != 0 || a.Most <= 30*ms || a.Most >= 40*ms {
		t.Errorf("%+v", a)
	}
	if d, err = m.Describe(t.Context(), "3"); err != nil || len(d.Reservations) != 0 || d.Admission[0].Asked.Budget != 0 || d.Admission[0].Others != 3 || d.Admission[0].Most <= 0 {
		t.Errorf("of a domain without a reservation: %+v, %v", d, err)
	}
	h.all[1].ID = "9"
	h.all = h.all[:1]
	if err := m.Review(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d, err = m.Describe(t.Context(), "d2"); err != nil || d.ID != "" || d.UUID != "u2" || len(d.Reservations) != 1 || len(d.Facts) != 0 {
		t.Errorf("of a domain that does not run: %+v, %v", d, err)
	}
	if _, err = m.Describe(t.Context(), "d3"); !errors.Is(err, host.ErrNoDomain) {
		t.Errorf("of a domain that is gone: %v", err)
	}
}

// Servers of one reservation on one CPU wait for one another.
func TestResponseCountsTheOtherServersOfTheReservation(t *testing.T) {
	h := crowd(1)
	h.all[0].CPUs, h.all[0].VCPUs = []int{0}, 3
	m := open(t, h, t.TempDir())
	want := reservation("d1", 2*ms, 100*ms)
	want.Servers = 3
	if _, err := m.Reserve(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	d, err := m.Describe(t.Context(), "d1")
	if err != nil || len(d.Admission) != 1 || d.Admission[0].Servers != 3 || d.Admission[0].Response != 7*ms+240*time.Microsecond || d.Admission[0].Most != 0 {
		t.Errorf("%+v, %v", d.Admission, err)
	}
}

// The list of problems is bounded, has its time and ends with the domain.
func TestLastProblemsOfADomainAreRemembered(t *testing.T) {
	h := crowd(2)
	m := open(t, h, t.TempDir())
	for i := range mostProblems + 5 {
		if _, err := m.Reserve(t.Context(), reservation("d1", 99*ms, 100*ms+time.Duration(i))); !errors.Is(err, host.ErrNotAdmitted) {
			t.Fatal(err)
		}
	}
	d, err := m.Describe(t.Context(), "d1")
	if err != nil || len(d.Problems) != mostProblems || time.Since(d.Problems[0].At) > time.Hour || !strings.Contains(d.Problems[0].Text, "not admitted") {
		t.Errorf("%+v, %v", d.Problems, err)
	}
	if d, err := m.Describe(t.Context(), "d2"); err != nil || len(d.Problems) != 0 {
		t.Errorf("of another: %+v, %v", d.Problems, err)
	}
	h.all = h.all[1:]
	if err := m.Review(t.Context()); err != nil || len(m.problems) != 0 {
		t.Errorf("%v, %v", m.problems, err)
	}
}

func BenchmarkDomains(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := crowd(n)
			m := &Master{table: newTable(h)}
			for b.Loop() {
				if all, err := m.Domains(b.Context()); err != nil || len(all) != n {
					b.Fatal(err)
				}
			}
		})
	}
}
